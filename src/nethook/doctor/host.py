"""What the stations share: configuration, libvirt's networks, and what was read of the host, once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import nethook.host.host as edge
from nethook.doctor.host_problems import own_addresses, unresolved, vital_problems
from nethook.doctor.ip import ask
from nethook.engine.pending import Pending
from nethook.engine.plan import decide
from nethook.host import links
from nethook.libvirt.live import live_guests
from nethook.net import names
from nethook.net.prefix import Prefix, address_text, parse_prefix
from nethook.placement.scope import Scope
from nethook.placement.vital import read_needs
from nethook.terminal.shell import word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nethook.config import Configuration, RoutedIP
    from nethook.config.problem import Problem
    from nethook.doctor.host_problems import OwnAddress
    from nethook.doctor.ip import Answer
    from nethook.engine.plan import Plan
    from nethook.libvirt.live import LiveGuest, LiveNetwork

SOMEBODY = {4: "8.8.8.8", 6: "2001:4860:4860::8888"}
"""An address of the outside, for questions about routes. Nothing is sent to it."""


class Target:
    """A line, and the ``address`` out of its prefix that stands for it: where ``is_exact``, the very one in question.

    ``bridge`` is that of its network, '' as long as that has none.
    """

    __slots__ = ("address", "bridge", "is_exact", "line")

    def __init__(self, line: RoutedIP, address: str, *, is_exact: bool) -> None:
        self.line = line
        self.address = address
        self.is_exact = is_exact
        self.bridge = ""

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.line.prefix.family

    @property
    def name(self) -> str:
        """How it is called: the address in question, or the whole prefix."""
        return self.address if self.is_exact else self.line.prefix.text

    @property
    def link_address(self) -> str:
        """The address that a guest has to answer for on the bridge; '' if it is not known which."""
        return self.line.via or (self.address if self.is_exact else "")

    @property
    def route(self) -> tuple[str, str]:
        """Where it is, or would be, in the kernel."""
        return self.line.prefix.text, self.bridge


def targets(lines: Sequence[RoutedIP], wanted: Iterable[Prefix]) -> tuple[list[Target], list[Prefix]]:
    """What is to be looked at: all lines, or those around what is ``wanted``; and what of that has no line."""
    wanted = list(wanted)
    if not wanted:
        return [Target(line, _example(line, lines), is_exact=line.prefix.is_address) for line in lines], []
    found, lost = [], []
    for prefix in wanted:
        around = [line for line in lines if prefix.lies_in(line.prefix)]
        if not around:
            lost.append(prefix)
            continue
        line = max(around, key=lambda line: line.prefix.length)
        address = prefix.text if prefix.is_address else _example(line, lines)
        found.append(Target(line, address, is_exact=prefix.is_address))
    return found, lost


def _example(line: RoutedIP, lines: Iterable[RoutedIP]) -> str:
    """An address of the prefix, not its first (which a subnet uses for itself), not in a longer prefix of a line."""
    prefix = line.prefix
    if prefix.is_address:
        return prefix.text
    inner = [other.prefix for other in lines if other is not line and other.prefix.lies_in(prefix)]
    middle = prefix.first + (prefix.host_mask >> 1)
    for number in (prefix.first + 1, middle + 1, prefix.last - 1, middle, prefix.first, prefix.last):
        address = Prefix(prefix.family, number, 32 if prefix.family == 4 else 128)
        if prefix.first <= number <= prefix.last and not any(address.lies_in(other) for other in inner):
            return address.text
    return address_text(prefix.family, prefix.first)


class Host:
    """Reads when somebody asks. Everything may raise NethookError, where it cannot be found out."""

    def __init__(self, configuration: Configuration, live: Mapping[str, LiveNetwork], tools: edge.Host) -> None:
        self.configuration = configuration
        self.settings = configuration.settings
        self.live = live
        self.tools = tools
        self.up = [
            each.network
            for each in live.values()
            if each.is_active and names.is_safe(each.network.bridge) and links.exists(each.network.bridge)
        ]
        self._uplinks: dict[int, list[str]] = {}
        self._ports: dict[str, list[str]] = {}
        self.bridges = {network.bridge for network in self.up if network.is_libvirts_own}

    @cached_property
    def plan(self) -> Plan:
        """What `nethook apply` would do."""
        scope = Scope(
            known=[each.network for each in self.live.values() if each.is_active],
            down=[each.network for each in self.live.values() if not each.is_active],
            unresolved={line.prefix.text for line, _ in unresolved(self.configuration.routed_ips, self.live)},
        )
        return decide(self.configuration, self.up, scope, self.tools, is_thorough=True)

    @cached_property
    def vital_problems(self) -> Mapping[str, Problem]:
        """By prefix, the problem of each line that takes, or would take, away what the host needs."""
        routed = {route[0] for route in self.plan.case.routes}
        found = vital_problems(read_needs(self.tools), self.configuration.routed_ips, self.live, routed)
        return {problem.prefix.text: problem for problem in found if problem.prefix}

    @cached_property
    def pending(self) -> Pending:
        """What of that concerns which line."""
        return Pending(self.plan.effects)

    @cached_property
    def guests(self) -> Mapping[str, LiveGuest] | None:
        """The guests that libvirt knows; None if it does not tell."""
        return live_guests()

    @cached_property
    def own_addresses(self) -> list[OwnAddress]:
        """The addresses of the host itself."""
        return own_addresses(self.tools)

    @cached_property
    def _default_routes(self) -> dict[int, list[dict[str, Any]]]:
        return {
            family: sorted(
                (
                    route
                    for route in self.ask(family, ["route show default table all"])[0].listed
                    if "type" not in route  # unreachable and the like lead nowhere
                ),
                key=lambda route: ("table" in route, route.get("metric", 0)),
            )
            for family in (4, 6)
        }

    def default_routes(self, family: int) -> list[dict[str, Any]]:
        """All of this family, the best of the main table first."""
        return self._default_routes[family]

    def uplinks(self, family: int) -> list[str]:
        """The devices by which the outside may come in: of default routes, or on the link of one's gateway."""
        if family not in self._uplinks:
            self._uplinks[family] = self._find_uplinks(family)
        return self._uplinks[family]

    def ports(self, bridge: str) -> list[str]:
        """The devices that are plugged into this bridge, but for what libvirt itself plugs in (until 7.0)."""
        if bridge not in self._ports:
            (answer,) = self.ask(4, [f"link show master {bridge}"])
            self._ports[bridge] = [port["ifname"] for port in answer.listed if port["ifname"] != f"{bridge}-nic"]
        return self._ports[bridge]

    def _find_uplinks(self, family: int) -> list[str]:
        found: dict[str, None] = {}
        gateways = []
        for route in self.default_routes(family):
            for hop in [route, *route.get("nexthops", ())]:
                if "dev" in hop and hop["dev"] not in self.bridges:
                    found[hop["dev"]] = None
                gateway = hop.get("gateway") or hop.get("via", {}).get("host")
                if gateway:
                    gateways.append(parse_prefix(gateway))
        for held in self.own_addresses:
            host_bits = (32 if held.address.family == 4 else 128) - held.length
            subnet = Prefix(held.address.family, held.address.first >> host_bits << host_bits, held.length)
            if any(gateway.lies_in(subnet) for gateway in gateways) and subnet.first >> 118 != 0x3FA:  # not fe80::/10
                found[held.device] = None
        return [name for name in found if name != "lo" and name not in self.bridges]

    def ask(self, family: int, questions: Sequence[str]) -> list[Answer]:
        """Answers of ``ip`` to these questions."""
        return ask(self.tools, family, questions)


def set_sysctl(name: str, value: int) -> str:
    """The command that sets it. With slashes where a device has dots in its name."""
    return f"sysctl -w {word(shown(name))}={value}"


def keep_sysctl(name: str, value: int) -> str:
    """How to have it so after the next boot."""
    return f"to keep it: {shown(name)} = {value} in a file of /etc/sysctl.d"


def shown(name: str) -> str:
    """The setting's name as people know it; with slashes where a device has dots in its name."""
    return name if "." in name else name.replace("/", ".")
