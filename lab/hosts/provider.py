"""A provider's router that learns from its hosts what to deliver where: BIRD or FRR, in the namespace of the outside.

It takes only prefixes that it has assigned, whatever hosts announce. With BGP, it keeps the older of two routes of
neighbours in different AS. Within one AS, it is the route reflector.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

from lab.hosts.layered import WORK, inside
from lab.hosts.roots import ROUTING, layered_root
from lab.hosts.wan import ROUTER, SWITCH
from lab.processes import run
from lab.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.hosts.footprint import Footprint
    from lab.hosts.wan import AddressPair, Wan

ASSIGNED = {4: "203.0.113.0/24", 6: "2001:db8:7::/48"}
ASN = 65000
EBGP, IBGP, OSPF = "eBGP", "iBGP", "OSPF"
GROUP = "provider"

BIRD = f"""
log stderr all;
router id {ROUTER.ipv4};
protocol device {{}}
protocol bfd {{ interface "*" {{ interval 200 ms; multiplier 4; }}; }}
"""
BIRD_KERNEL = """
protocol kernel {{ ipv{family} {{ import none; export where source = RTS_BGP || source = RTS_OSPF_EXT2; }}; }}
filter assigned{family} {{ if net ~ [ {assigned}+ ] then accept; reject; }}
"""
BIRD_BGP = """
protocol bgp h{number}_{family} {{
  local as {own}; neighbor {address} as {asn}; bfd on; {more}
  connect delay time 1; error wait time 1, 5;
  ipv{family} {{ import filter assigned{family}; export {exported}; }};
}}
"""
BIRD_OSPF = f"""
protocol ospf v{{version}} ospf{{version}} {{{{
  ipv{{family}} {{{{ import filter assigned{{family}}; export none; }}}};
  area 0 {{{{ interface "{SWITCH}" {{{{ hello 1; dead count 4; wait 2; bfd on; }}}}; }}}};
}}}}
"""
OSPFS = ("ospf2", "ospf3")
FRR = f"""
router bgp {ASN}
 bgp router-id {ROUTER.ipv4}
"""
BIRD_START = f"mkdir -p /run/bird; exec nice -n -15 bird -f -c {WORK}/configuration"
FRR_START = f"""
install -d -o frr -g frr /run/frr
chown frr:frr {WORK}
for each in zebra bfdd bgpd; do nice -n -15 /usr/lib/frr/$each -d -A 127.0.0.1 --log file:{WORK}/$each.log; done
vtysh -f {WORK}/configuration
exec sleep infinity
"""


class Provider:
    """A running router. Its ``kind`` is EBGP, IBGP or OSPF; ``daemon`` is bird or frr, of a suite."""

    def __init__(
        self, wan: Wan, footprint: Footprint, places: Sequence[AddressPair], *, kind: str, daemon: str, suite: str
    ) -> None:
        """Start it for the hosts at these places, whose AS numbers are ``asn(kind, number)``."""
        self._wan = wan
        self._footprint = footprint
        self._places = places
        self._daemon = daemon
        self._kind = kind
        folder = footprint.folder / GROUP
        folder.mkdir(exist_ok=True)
        text = (bird if daemon == "bird" else frr)(kind, places)
        (folder / "configuration").write_text(text)
        program = ["sh", "-ec", BIRD_START if daemon == "bird" else FRR_START]
        self.log = folder / "log"
        with ExitStack() as stack:
            entered = stack.enter_context(inside(layered_root(suite, ROUTING), folder))
            argv = ["ip", "netns", "exec", wan.namespace.name, *entered, *program]
            self._pid = footprint.start(argv, self.log, GROUP)
            asked = ["birdc", "show", "status"] if daemon == "bird" else ["vtysh", "-c", "show bgp summary"]
            wait_for(lambda: self.run(*asked, check=False), f"the provider's {daemon} answers")
            self._stack = stack.pop_all()

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a command where the router is, such as ``birdc show route``, and return what it prints."""
        entered = ["nsenter", "--target", str(self._pid), "--mount", "--net", "--root", "--wdns=/"]
        done = run([*entered, *argv], check=check)
        return done.stdout if done.returncode == 0 else ""

    def wait_for_hosts(self) -> None:
        """Return when all hosts are connected, for both families."""
        sessions = 2 * len(self._places)
        wait_for(lambda: self._sessions() == sessions, f"the provider has {sessions} sessions", 60)

    def _sessions(self) -> int:
        if self._daemon == "frr":
            return len(re.findall(r'"state":"Established"', self.run("vtysh", "-c", "show bgp summary json")))
        if self._kind == OSPF:
            return sum(
                len(re.findall(r"Full/", self.run("birdc", "show", "ospf", "neighbors", each))) for each in OSPFS
            )
        return len(re.findall(r"Established", self.run("birdc", "show", "protocols")))

    def close(self) -> None:
        """End it, with its routes."""
        group = self._footprint.cgroup / GROUP
        (group / "cgroup.kill").write_text("1")
        wait_for(lambda: "populated 0" in (group / "cgroup.events").read_text(), "the provider's router has ended")
        self._footprint.wait(self._pid)
        self._stack.close()
        self._wan.namespace.run(["ip", "nexthop", "flush"])  # with the routes that use them: those of FRR
        for family in ("-4", "-6"):
            self._wan.namespace.run(["ip", family, "route", "flush", "proto", "bird"])


def routes(wan: Wan) -> dict[str, str]:
    """Return to which address the outside delivers each of the assigned prefixes, as `ip` writes them."""
    listed = "".join(wan.namespace.run(["ip", family, "route"]).stdout for family in ("-4", "-6"))
    return dict(re.findall(r"^(203\.0\.113\.\S+|2001:db8:7:\S+) .*?via (\S+)", listed, re.MULTILINE))


def asn(kind: str, number: int) -> int:
    """Return the AS number of the host with this number, from 1."""
    return ASN if kind == IBGP else ASN + number


def bird(kind: str, places: Sequence[AddressPair]) -> str:
    """Return the configuration of BIRD."""
    text = BIRD
    for family in (4, 6):
        text += BIRD_KERNEL.format(family=family, assigned=ASSIGNED[family])
        if kind == OSPF:
            text += BIRD_OSPF.format(family=family, version=2 if family == 4 else 3)
            continue
        for number, place in enumerate(places, 1):
            text += BIRD_BGP.format(
                number=number,
                family=family,
                own=ASN,
                asn=asn(kind, number),
                address=place.of_family(family),
                more="prefer older on;" if kind == EBGP else "rr client; direct;",
                exported="none" if kind == EBGP else "where source = RTS_BGP",
            )
    return text


def frr(kind: str, places: Sequence[AddressPair]) -> str:
    """Return the configuration of FRR: BGP alone."""
    sessions, families, lists = "", "", ""
    for family, ip, longest in ((4, "ip", 32), (6, "ipv6", 128)):
        lists += f"{ip} prefix-list assigned{family} permit {ASSIGNED[family]} le {longest}\n"
        families += f" address-family ipv{family} unicast\n  maximum-paths 1\n  maximum-paths ibgp 1\n"
        for number, place in enumerate(places, 1):
            address = place.of_family(family)
            sessions += f" neighbor {address} remote-as {asn(kind, number)}\n neighbor {address} bfd\n"
            sessions += f" neighbor {address} timers connect 2\n neighbor {address} advertisement-interval 0\n"
            families += f"  neighbor {address} activate\n  neighbor {address} route-map assigned{family} in\n"
            families += f"  neighbor {address} route-reflector-client\n" if kind == IBGP else ""
            families += "" if kind == IBGP else f"  neighbor {address} route-map none out\n"
            if family == 6:
                sessions += f" address-family ipv4 unicast\n  no neighbor {address} activate\n exit-address-family\n"
        families += " exit-address-family\n"
        lists += f"route-map assigned{family} permit 10\n match {ip} address prefix-list assigned{family}\n"
    return f"{lists}route-map none deny 10\n!\n{FRR}{sessions}{families}"
