"""FRRouting: https://docs.frrouting.org. Debian 12 has 8.4.

zebra does not know protocol numbers of the kernel: all that is not its own is a "kernel" route. So bridge and prefix
say which routes are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.routing_daemons import COMMUNITY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.routing_daemons import Neighbor, Wanted

FILE = "/etc/frr/nethook.conf"
HEAD = """\
! Announces addresses of nethook while this host has them. Made by:
!   {command}
! Write it to {file}. /etc/frr/daemons needs bgpd=yes{bfdd}. Then:
!   vtysh -f {file} && vtysh -c 'write memory'
! After you remove a line of routed-ips, remove its prefix with vtysh:
!   no ip prefix-list NETHOOK4 permit 203.0.113.10/32
!
bgp community-list standard NETHOOK permit {community}
bgp as-path access-list NETHOOK permit ^$
"""
OWN = """\
! The routes of nethook: these bridges and prefixes. While another host
! announces an address, its route has the greater weight, and this host
! announces none. So an address stays with the older host until a live
! migration has ended.
route-map NETHOOK-OWN{family} permit {number}
 match interface {bridge}
 match {ip} address prefix-list NETHOOK{family}
 set community {community} additive
 set weight 0
"""
MAPS = """\
route-map NETHOOK-IN{family} permit 10
 match {ip} address prefix-list NETHOOK{family}
 match community NETHOOK
 set weight 1
route-map NETHOOK-OUT{family} permit 10
 match {ip} address prefix-list NETHOOK{family}
 match as-path NETHOOK
! No route of another host gets into the kernel of this one.
route-map NETHOOK-KERNEL{family} deny 10
 match {ip} address prefix-list NETHOOK{family}
route-map NETHOOK-KERNEL{family} permit 20
"""
NEIGHBOR = """\
 neighbor {address} remote-as {asn}
 neighbor {address} timers connect 5
"""
OF_FAMILY = """\
 address-family ipv{family} unicast
  redistribute kernel route-map NETHOOK-OWN{family}
  table-map NETHOOK-KERNEL{family}
"""
ACTIVE = """\
  neighbor {address} activate
  neighbor {address} next-hop-self
  neighbor {address} send-community
  neighbor {address} route-map NETHOOK-IN{family} in
  neighbor {address} route-map NETHOOK-OUT{family} out
"""


def configuration(wanted: Wanted) -> str:
    """Return the commands for vtysh."""
    return "".join(_parts(wanted))


def _parts(wanted: Wanted) -> Iterator[str]:
    community = "{}:{}".format(*COMMUNITY)
    bfdd = " and bfdd=yes" if wanted.has_bfd else ""
    yield HEAD.format(command=wanted.command, file=FILE, community=community, bfdd=bfdd)
    for family in wanted.families:
        ip = _ip(family)
        yield "!\n"
        yield from (f"{ip} prefix-list NETHOOK{family} permit {prefix}\n" for prefix in wanted.of(family))
        for number, bridge in enumerate(wanted.bridges, 1):
            text = OWN if number == 1 else OWN[OWN.index("route-map") :]
            yield text.format(family=family, number=10 * number, bridge=bridge, ip=ip, community=community)
        yield MAPS.format(family=family, ip=ip)
    yield from _bgp(wanted)


def _bgp(wanted: Wanted) -> Iterator[str]:
    """Yield the BGP instance. Without a session, it is a comment: the maps are for an instance that is there."""
    if not wanted.neighbors:
        yield "!\n! For your own `router bgp`:\n"
        for family in wanted.families:
            text = OF_FAMILY + ACTIVE
            yield "".join(f"!{line}\n" for line in text.format(family=family, address="NEIGHBOR").splitlines())
        return
    yield f"!\nrouter bgp {wanted.asn}\n"
    for neighbor in wanted.neighbors:
        yield NEIGHBOR.format(address=neighbor.address, asn=_asn(neighbor, wanted.asn))
        if wanted.has_bfd:
            yield f" neighbor {neighbor.address} bfd\n"
    for family in wanted.families:
        yield OF_FAMILY.format(family=family)
        for neighbor in wanted.neighbors:
            if neighbor.family == family:
                yield ACTIVE.format(address=neighbor.address, family=family)
            elif family == 4:  # every neighbor is active for IPv4 unless told otherwise
                yield f"  no neighbor {neighbor.address} activate\n"
        yield " exit-address-family\n"


def _ip(family: int) -> str:
    return "ip" if family == 4 else "ipv6"


def _asn(neighbor: Neighbor, asn: int) -> str:
    if neighbor.asn == asn:
        return "internal"
    return str(neighbor.asn or "external")
