"""BIRD 2: https://bird.nic.cz/doc/bird-2.17.html. Debian 12 has 2.0.12."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.routing_daemons import COMMUNITY, OSPF_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.routing_daemons import Neighbor, Wanted

FILE = "/etc/bird/nethook.conf"
HEAD = """\
# Announces addresses of nethook while this host has them. Made by:
#   {command}
# Write it to {file}. /etc/bird/bird.conf needs a router id and
# `protocol device {{}}`, and no other kernel protocol of the main table:
#   router id 198.51.100.11;
#   protocol device {{}}
#   include "{file}";
# After you add or remove lines of routed-ips, write it anew, and run
# `birdc configure`.
"""
OF_FAMILY = """
define NETHOOK{family} = [
  {prefixes}
];

# The routes of nethook have protocol {protocol}. BIRD does not read the tables of its
# fallback routes.
protocol kernel nethook_kernel{family} {{
  learn;
  ipv{family} {{
    import where krt_source = {protocol} && net ~ NETHOOK{family};
    export none;
  }};
}}

# To BGP and OSPF: only what is in the kernel of this host.
filter nethook_export{family} {{
  if source != RTS_INHERIT || net !~ NETHOOK{family} then reject;
  bgp_community.add(({high}, {low}));
  ospf_tag = {tag};
  accept;
}}

# From there: while another host announces an address, this one does not. So
# an address stays with the older host until a live migration has ended.
filter nethook_import{family} {{
  if net !~ NETHOOK{family} then reject;
  if source = RTS_BGP then {{
    if ({high}, {low}) ~ bgp_community then accept;
    reject;
  }}
  if defined(ospf_tag) && ospf_tag = {tag} then accept;
  reject;
}}
"""
BFD = """
protocol bfd nethook_bfd {
  interface "*" { interval 200 ms; multiplier 4; };
}
"""
SESSION = """
protocol bgp nethook_bgp{family}_{number} {{
  local as {asn};
  neighbor {address} {kind};{bfd}
  connect delay time 1;
  error wait time 2, 60;
  ipv{family} {{
    next hop self;
    import filter nethook_import{family};
    export filter nethook_export{family};
  }};
}}
"""
OWN = """
# For a protocol of your own, such as `protocol ospf v3`:
#   ipv{family} {{ import filter nethook_import{family}; export filter nethook_export{family}; }};
"""


def configuration(wanted: Wanted) -> str:
    """Return the text to include in bird.conf."""
    return "".join(_parts(wanted))


def _parts(wanted: Wanted) -> Iterator[str]:
    yield HEAD.format(command=wanted.command, file=FILE)
    for family in wanted.families:
        yield OF_FAMILY.format(
            family=family,
            prefixes=",\n  ".join(wanted.of(family)),
            protocol=wanted.protocol,
            high=COMMUNITY[0],
            low=COMMUNITY[1],
            tag=OSPF_TAG,
        )
    if not wanted.neighbors:
        yield OWN.format(family=wanted.families[-1])
    elif wanted.has_bfd:
        yield BFD
    for family in wanted.families:
        for number, neighbor in enumerate(wanted.neighbors_of(family), 1):
            yield SESSION.format(
                family=family,
                number=number,
                asn=wanted.asn,
                address=neighbor.address,
                kind=_kind(neighbor, wanted),
                bfd="\n  bfd on;" * wanted.has_bfd,
            )


def _kind(neighbor: Neighbor, wanted: Wanted) -> str:
    if neighbor.asn == wanted.asn:
        return "internal;\n  direct" if wanted.has_bfd else "internal"  # BFD over hops would need a local address
    return f"as {neighbor.asn}" if neighbor.asn else "external"
