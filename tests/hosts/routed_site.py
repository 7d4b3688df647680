"""Two hosts with the same files, a guest with an address of each kind, and a provider that learns who has it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from lab.hosts.flow import silence
from lab.hosts.provider import ASN, EBGP, IBGP, OSPF, Provider, asn, routes
from lab.hosts.roots import ROUTING
from lab.hosts.wan import UPLINK
from lab.waiting import wait_for
from tests.hosts.lost_guests import unless_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lab.hosts.guest import Guest
    from lab.hosts.lab import Lab
    from lab.hosts.systemd_host import SystemdHost

FILE = "/etc/sysconfig/routed-ips"
BRIDGE = "br-public"
MAC = "52:54:00:00:00:01"
GUEST_MAC = "52:54:00:00:00:10"
GATEWAYS = ["169.254.0.1", "fe80::1"]
BOUND = {
    "203.0.113.11": "203.0.113.11",
    "203.0.113.24/29": "203.0.113.25",
    "2001:db8:7::11": "2001:db8:7::11",
    "2001:db8:7:2::/64": "2001:db8:7:2::5",
}
UNBOUND = {
    "203.0.113.10": "203.0.113.10",
    "203.0.113.16/29": "203.0.113.17",
    "2001:db8:7::10": "2001:db8:7::10",
    "2001:db8:7:1::/64": "2001:db8:7:1::5",
}
NOT_ASSIGNED = ["198.18.7.7", "2001:db8:8::/64"]
"""Lines that the provider must not take."""
INTERVAL = 0.01


class Mode(NamedTuple):
    """What announces, and how; ``suite`` is that of the provider's daemon."""

    daemon: str
    kind: str
    suite: str

    def __str__(self) -> str:
        return f"{self.daemon.upper()} {self.kind}"

    @property
    def prefixes(self) -> dict[str, str]:
        """The prefixes of the lines, each with the address of it that the guest has.

        With OSPF, both hosts yield to each other when the second one starts, and either may end up with a line that is
        not bound.
        """
        return BOUND if self.kind == OSPF else {**BOUND, **UNBOUND}

    @property
    def commands(self) -> tuple[list[str], list[str]]:
        """The commands of the manual, but for apt: those before nethook prints a configuration, and the rest."""
        shown = [*manual(self.daemon.upper(), "console"), *STARTED[self.daemon]]
        first = next(number for number, command in enumerate(shown) if command.startswith("nethook "))
        return [command for command in shown[:first] if not command.startswith("apt ")], shown[first:]

    @property
    def unbound(self) -> dict[str, str]:
        """Those that are not bound."""
        return {prefix: address for prefix, address in self.prefixes.items() if prefix in UNBOUND}


MODES = [
    Mode("bird", EBGP, "trixie"),
    Mode("frr", EBGP, "bookworm"),
    Mode("bird", IBGP, "bookworm"),
    Mode("frr", IBGP, "bookworm"),
    Mode("bird", OSPF, "trixie"),
]

SERVICES = {"bird": "bird", "frr": "frr"}
FIRST = "[Service]\nNice=-15\n"
"""On a busy machine, a daemon that waits for a processor is taken for dead by BFD, and an address changes its host."""
MANUAL = Path(__file__).parents[2] / "docs" / "announcing.md"
SHIPPED = "/etc/frr/frr.conf.shipped"


STARTED = {"bird": ["bird -p && systemctl restart bird"], "frr": []}
"""What the manual says behind the files."""


def manual(section: str, kind: str) -> list[str]:
    """Return the blocks of this kind in a section of the manual; of a console, its commands."""
    text = MANUAL.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    assert all(command in text for command in STARTED.get(section.lower(), ()))
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    blocks = [block for of_kind, block in found if of_kind == kind]
    assert blocks, section
    return re.findall(r"^# (.*)$", "".join(blocks), re.MULTILINE) if kind == "console" else blocks


def _for_host(command: str, number: int, mode: Mode) -> str:
    """Return a command of the manual with the AS numbers of this host; for OSPF, without them."""
    if mode.kind == OSPF:
        return re.sub(r" --(asn|neighbor|bfd)( [\d.:a-f]+)?", "", command)
    command = command.replace("--asn 65001", f"--asn {asn(mode.kind, number)}")
    return command if mode.kind == EBGP else re.sub(r"(--neighbor \S+)", rf"\1={ASN}", command)


def network_xml(mac: str = MAC) -> str:
    """The network: the bridge has the same MAC address everywhere, and no IPv6 of its own."""
    return f"""<network><name>public</name><forward mode='nat'/><bridge name='{BRIDGE}' stp='off' delay='0'/>
        <mac address='{mac}'/><ip address='192.168.50.1' prefix='24'/></network>"""


class Row(NamedTuple):
    """What a scenario took of each address that was asked: the longest time without an answer, in milliseconds."""

    mode: str
    scenario: str
    silences: dict[str, int]
    of_itself: str

    def __str__(self) -> str:
        cells = [f"{prefix} {ms}" for prefix, ms in self.silences.items()]
        return f"{self.mode:9}  {self.scenario}: {', '.join(cells)}{self.of_itself and f'; {self.of_itself}'}"


def _prepare(host: SystemdHost) -> None:
    """Install nethook, and have a network and daemons that can start."""
    host.install()
    host.run(["nethook", "install", "--enable-forwarding"])  # libvirt does that for IPv4 alone here
    host.listen()
    for service in SERVICES.values():
        host.write(f"/etc/systemd/system/{service}.service.d/first.conf", FIRST)
    host.run(["systemctl", "daemon-reload"])
    host.run(["cp", "/etc/frr/frr.conf", SHIPPED])
    host.network("public", network_xml())


class RoutedSite:
    """The site. ``rows`` has what was measured."""

    def __init__(self, lab: Lab) -> None:
        """Boot the hosts, and start the guest on the first."""
        self.lab = lab
        self.rows: list[Row] = []
        self.alpha = lab.host("bookworm", "alpha", layer=ROUTING)
        self.beta = lab.host("trixie", "beta", firewall_backend="nftables", layer=ROUTING)
        self.hosts = [self.alpha, self.beta]
        self._at_once(_prepare)
        used = [*BOUND.values(), *UNBOUND.values()]
        addresses = [f"{address}/{128 if ':' in address else 32}" for address in used]
        self.guest: Guest = self.alpha.guest(
            "web1", network="public", addresses=addresses, gateways=GATEWAYS, mac=GUEST_MAC
        )
        self.guest.start()
        self.provider: Provider | None = None
        self.mode = MODES[0]

    def use(self, mode: Mode) -> None:
        """Have these daemons announce, and return when the provider delivers everything to the first host."""
        self.end_mode()
        self.mode = mode
        self._at_once(lambda host: host.run(["virsh", "net-start", "public"], check=False))  # it may run
        for number in range(len(self.hosts)):
            self.lab.wan.plug(number + 1)
        if not self.guest.is_on(self.alpha) or self.guest.is_lost:
            self.guest.start_anew_on(self.alpha)
        lines = [f"{prefix} public guest={self.guest.name}" for prefix in BOUND]
        lines += [f"{prefix} public" for prefix in (*mode.unbound, *NOT_ASSIGNED)]
        text = "".join(f"{line}\n" for line in lines)
        self._at_once(lambda host: host.write(FILE, text))
        # Beta does not know the guest yet, which is a mistake of its lines until it comes.
        self._at_once(lambda host: host.nethook("apply"))
        places = [host.place for host in self.hosts]
        wan = self.lab.wan
        self.provider = Provider(wan, self.lab.footprint, places, kind=mode.kind, daemon=mode.daemon, suite=mode.suite)
        self._at_once(self._configure)
        for number, host in enumerate(self.hosts, 1):
            for command in mode.commands[1]:
                host.run(["sh", "-ec", _for_host(command, number, mode)])
            self.wait_until(mode.prefixes, self.alpha)  # so it is the older one
        self.provider.wait_for_hosts()

    def begin(self, host: SystemdHost) -> None:
        """Have the guest on this host, reachable, whatever has become of an earlier test."""
        if not (self.guest.is_on(host) and self._is_reachable(BOUND, host)):
            self.use(self.mode)
        if not self.guest.is_on(host):
            self.guest.start_anew_on(host)
            self.wait_until(BOUND, host)

    def end_mode(self) -> None:
        """End the daemons, if some run."""
        self._at_once(lambda host: host.run(["systemctl", "stop", *SERVICES.values()]))
        # systemd refuses the fourth start in 3 minutes, and does not know what was never started.
        self._at_once(lambda host: host.run(["systemctl", "reset-failed", *SERVICES.values()], check=False))
        if self.provider:
            self.provider.close()
            self.provider = None

    def _at_once(self, act: Callable[[SystemdHost], object]) -> None:
        """Do it with both hosts at the same time."""
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            list(pool.map(act, self.hosts))

    def _configure(self, host: SystemdHost) -> None:
        """Do what the manual says for this daemon before nethook prints the rest."""
        if self.mode.daemon == "bird":
            text = manual("BIRD", "")[0].replace("198.51.100.11", str(host.place.ipv4))
            text += manual("OSPF", "")[0].replace("eth0", UPLINK) if self.mode.kind == OSPF else ""
            host.write("/etc/bird/bird.conf", text)
        else:
            host.run(["cp", SHIPPED, "/etc/frr/frr.conf"])
        for command in self.mode.commands[0]:
            host.run(["sh", "-ec", command])

    def wait_until(self, prefixes: Mapping[str, str], host: SystemdHost) -> None:
        """Wait until the provider delivers these to this host, and the guest answers there."""
        where = f"{', '.join(prefixes)} are delivered to {host.name}"
        wait_for(lambda: self._are_delivered(prefixes, host), where, 60)
        wait_for(lambda: self._is_reachable(prefixes, host), "all answer", 60)

    def _is_reachable(self, prefixes: Mapping[str, str], host: SystemdHost) -> bool:
        addresses = [*prefixes.values()]
        return self._are_delivered(prefixes, host) and (not addresses or self.lab.wan.answering(addresses) == addresses)

    def taken_over(self, prefixes: Mapping[str, str], host: SystemdHost) -> str:
        """Return how long it took until the provider delivered these to this host."""
        began = monotonic()
        wait_for(lambda: self._are_delivered(prefixes, host), "it takes over", 60)
        taken = 1000 * (monotonic() - began)
        self.wait_until(prefixes, host)
        return f"what is not bound at {host.name} after {taken:.0f}"

    def delivered(self) -> dict[str, str]:
        """Return the name of the host to which each prefix is delivered."""
        return {prefix: self._names.get(via, via) for prefix, via in routes(self.lab.wan).items()}

    def _are_delivered(self, prefixes: Mapping[str, str], host: SystemdHost) -> bool:
        delivered = self.delivered()
        return all(delivered.get(prefix) == host.name for prefix in prefixes)

    @cached_property
    def _names(self) -> dict[str, str]:
        """The host of each address of an uplink: daemons choose a link-local one for IPv6."""
        said = {host.name: host.run(["ip", "address", "show", UPLINK]).stdout for host in self.hosts}
        return {address: name for name, text in said.items() for address in re.findall(r"inet6? ([^/ ]+)", text)}

    @contextmanager
    def asking(self, scenario: str, prefixes: Mapping[str, str]) -> Iterator[Callable[[str], None]]:
        """Note how long there is no answer of each, from before the block until there are answers behind it.

        What is yielded takes what the scenario takes of itself, such as the pause of QEMU.
        """
        told: list[str] = []
        with ExitStack() as stack:
            heard = {
                prefix: stack.enter_context(silence(self.lab.wan, address, INTERVAL))
                for prefix, address in prefixes.items()
            }
            yield told.append
        silences = {prefix: round(1000 * each.longest) for prefix, each in heard.items()}
        self.note(Row(str(self.mode), scenario, silences, ", ".join(told)))

    def note(self, row: Row) -> None:
        """Print the row and keep it."""
        print(row)
        self.rows.append(row)

    def migrate(
        self, source: SystemdHost, target: SystemdHost, how: str = "", prefixes: Mapping[str, str] = BOUND
    ) -> None:
        """Move the guest while it runs. What is bound to it follows: these prefixes are asked for."""
        unless_lost(
            lambda: self._migrate(source, target, how, prefixes),
            self.guest,
            source,
            lambda: self.wait_until(prefixes, source),
        )

    def _migrate(self, source: SystemdHost, target: SystemdHost, how: str, prefixes: Mapping[str, str]) -> None:
        with self.asking(f"migration to {target.name}{how}", prefixes) as tell:
            self.guest.migrate(target)
            job = source.virsh("domjobinfo", "--completed", "--domain", self.guest.name)
            downtime = re.search(r"(?:Total d|D)owntime: +(\d+) +ms", job)
            assert downtime, job
            tell(f"pause of QEMU {downtime[1]}")
        self.wait_until(prefixes, target)

    def start_on(self, target: SystemdHost) -> str:
        """Start the guest there, and return how long it took to boot."""
        began = monotonic()
        self.guest.start_on(target)
        return f"boot {1000 * (monotonic() - began):.0f}"
