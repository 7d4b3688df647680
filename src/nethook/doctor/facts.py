"""The targets, and facts about the host that all stations share and that are read once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Union

from nethook.doctor.host_problems import own_addresses, vital_problems
from nethook.doctor.ip_answers import ask
from nethook.doctor.nft_chains import NftOnce
from nethook.engine.plan import decide
from nethook.engine.snapshot import Question
from nethook.host import links
from nethook.libvirt.details import details
from nethook.libvirt.live import live_guests
from nethook.libvirt.names import unresolved
from nethook.placement import Placement
from nethook.placement.scope import Scope
from nethook.placement.vital import Needs, read_needs
from nethook.prefix import Prefix, address_text, is_safe, parse_prefix
from nethook.shell import word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nethook.config import Configuration, RoutedIP
    from nethook.config.forwarded_ports import Forward
    from nethook.config.text import Problem
    from nethook.doctor.host_problems import OwnAddress
    from nethook.doctor.ip_answers import Answer
    from nethook.doctor.plugged import Nics
    from nethook.engine.plan import Plan
    from nethook.engine.situation import Asked
    from nethook.host import Host
    from nethook.libvirt.details import Details
    from nethook.libvirt.live import LiveGuest, LiveNetwork
    from nethook.placement.forwarded import Forwarding

SOMEBODY = {4: "8.8.8.8", 6: "2001:4860:4860::8888"}
"""An address outside, for questions about routes. Nothing is sent to it."""
MOST_ASKED = 16
"""Of a larger prefix, no address is asked."""


class Target:
    """A line to examine, and the ``address`` of its prefix that stands for it.

    ``is_exact`` if that is the address in question. ``bridge`` is the bridge of its network, '' while that is unknown.
    """

    __slots__ = ("address", "bridge", "is_exact", "line")
    is_forwarded = False

    def __init__(self, line: RoutedIP, address: str, *, is_exact: bool) -> None:
        self.line = line
        self.address = address
        self.is_exact = is_exact
        self.bridge = ""

    @property
    def family(self) -> int:
        """The IP family, 4 or 6."""
        return self.line.prefix.family

    @property
    def name(self) -> str:
        """The name in findings: the address in question, or the whole prefix."""
        return self.address if self.is_exact else self.line.prefix.text

    @property
    def block(self) -> str:
        """The addresses that the line lets pass, for rules."""
        return self.line.prefix.text

    @property
    def link_address(self) -> str:
        """The address for which a guest must answer on the bridge; '' if it is unknown."""
        return self.line.via or (self.address if self.is_exact else "")

    @property
    def link_addresses(self) -> list[str]:
        """The addresses of which one has to answer on the bridge; none if they are too many to be asked for."""
        prefix = self.line.prefix
        if self.link_address:
            return [self.link_address]
        if prefix.host_mask >= MOST_ASKED:
            return []
        return prefix.addresses()

    @property
    def how_to_answer(self) -> str:
        """The advice if the guest does not answer."""
        address, length = self.link_address or "ADDRESS", 32 if self.family == 4 else 128
        whole = "" if self.line.via else f"; `nethook guest-config {address}` prints the whole configuration"
        return f"run in the guest: ip address add {address}/{length} dev NIC{whole}"

    @property
    def route(self) -> tuple[str, str]:
        """The key of its route: prefix and bridge."""
        return self.line.prefix.text, self.bridge


class ForwardTarget:
    """A guest's address to which a line of forwarded-ports leads: the ``link_address``. ``name`` is the line's text.

    In the forward hook, packets to the guest have its ``address`` as destination already, and answers have it still.
    """

    is_forwarded = True

    def __init__(self, forwarding: Forwarding) -> None:
        self.line = forwarding.line
        self.name = forwarding.line.text
        self.bridge = forwarding.bridge
        self.family = forwarding.line.family
        self.address = self.block = self.link_address = forwarding.target
        self.link_addresses = [self.link_address]
        tcp = forwarding.line.target_ports if "tcp" in forwarding.line.protocols else ()
        self.single_tcp_ports = [first for first, last in tcp if first == last]
        self.how_to_answer = (
            f"let the guest ask for an address by DHCP, if its network reserves {self.link_address} for it; "
            f"or configure {self.link_address} in the guest. It may also still be starting"
        )


if TYPE_CHECKING:
    AnyTarget = Union[Target, ForwardTarget]


def asked_for(
    lines: Sequence[RoutedIP], forwards: Sequence[Forward], wanted: Sequence[Asked]
) -> tuple[list[Target], list[Forward], list[Asked]]:
    """Return the targets and the forwards that ``wanted`` is about, all if it is empty; and what has no line."""
    about, without = targets(lines, [asked.prefix for asked in wanted])
    lost = [asked for asked in wanted if asked.prefix in without and not any(map(asked.has, forwards))]
    return about, [line for line in forwards if not wanted or any(asked.has(line) for asked in wanted)], lost


def targets(lines: Sequence[RoutedIP], wanted: Iterable[Prefix]) -> tuple[list[Target], list[Prefix]]:
    """Return the targets, and the wanted prefixes without a line.

    The targets are the lines around the prefixes in ``wanted``, or all lines if ``wanted`` is empty.
    """
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
    """Return an address of the prefix: if possible not its first, which may be reserved, and in no other line."""
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


class Facts:
    """Facts about this host. Each is read when it is first needed, and raises NethookError if it cannot be read."""

    def __init__(
        self, configuration: Configuration, live: Mapping[str, LiveNetwork], tools: Host, plan: Plan | None = None
    ) -> None:
        """``plan`` is that of `nethook apply`, if it is known already."""
        self._plan = plan
        self.configuration = configuration
        self.settings = configuration.settings
        self.live = live
        self.tools = tools
        self.up = [
            each.network
            for each in live.values()
            if each.is_active and is_safe(each.network.bridge) and links.exists(each.network.bridge)
        ]
        self._uplinks: dict[int, list[str]] = {}
        self._ports: dict[str, list[str]] = {}
        self.nics: dict[tuple[str, str | None, str | None], Nics] = {}
        """The NICs that plugged.py has found."""
        self.bridges = {network.bridge for network in self.up if network.is_libvirts_own}

    @cached_property
    def plan(self) -> Plan:
        """The plan of `nethook apply`."""
        if self._plan:
            return self._plan
        scope = Scope(
            known=[each.network for each in self.live.values() if each.is_active],
            down=[each.network for each in self.live.values() if not each.is_active],
            unresolved={line.key for line, _ in unresolved(self.configuration.lines, self.live)[0]},
        )
        return decide(Question(self.configuration, self.up, scope, self.tools, is_thorough=True))

    @cached_property
    def needs(self) -> Needs:
        """The needs of the host itself. The plan reads them only if a line is not in force."""
        return read_needs(self.tools, self.tools.addresses())

    @cached_property
    def vital_problems(self) -> Mapping[str, Problem]:
        """The problems, by prefix, of lines that would take away an address that the host needs."""
        routed = {route[0] for route in self.plan.case.routes}
        found = vital_problems(self.needs, self.configuration, self.live, routed)
        return {problem.prefix.text: problem for problem in found if problem.prefix}

    @cached_property
    def _placements(self) -> dict[str, Placement]:
        return {each.line.prefix.text: each for each in self.plan.case.placements.lines}

    def placement(self, target: Target) -> Placement:
        """Return the placement of the line of this target, on the bridge that was found for it."""
        found = self._placements[target.line.prefix.text]
        return Placement(found.line, found.status, found.why, target.bridge, found.mac)

    @cached_property
    def guests(self) -> Mapping[str, LiveGuest] | None:
        """libvirt's guests; None if libvirt does not list them."""
        return live_guests()

    @cached_property
    def details(self) -> Details:
        """The taps and states of libvirt's guests, and what starts at boot."""
        return details()

    @cached_property
    def nft(self) -> NftOnce:
        """The reader of foreign chains of nftables."""
        return NftOnce(self.tools)

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
        """Return all default routes of this family, the best of the main table first."""
        return self._default_routes[family]

    def uplinks(self, family: int) -> list[str]:
        """Return the devices on which packets from outside may come: those of default routes and of their gateways."""
        if family not in self._uplinks:
            self._uplinks[family] = self._find_uplinks(family)
        return self._uplinks[family]

    @cached_property
    def devices(self) -> dict[str, dict[str, Any]]:
        """The network devices of this host by name, as ``ip link`` lists them."""
        return {device["ifname"]: device for device in self.ask(4, ["link show"])[0].listed}

    def ports(self, bridge: str) -> list[str]:
        """Return the ports of this bridge, without the dummy port that libvirt adds (up to 7.0)."""
        if bridge not in self._ports:
            members = (name for name, device in self.devices.items() if device.get("master") == bridge)
            self._ports[bridge] = [name for name in members if name != f"{bridge}-nic"]
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
            subnet = Prefix(held.address.family, (held.address.first >> host_bits) << host_bits, held.length)
            if any(gateway.lies_in(subnet) for gateway in gateways) and (subnet.first >> 118) != 0x3FA:  # not fe80::/10
                found[held.device] = None
        return [name for name in found if name != "lo" and name not in self.bridges]

    def ask(self, family: int, questions: Sequence[str]) -> list[Answer]:
        """Return the answers of ``ip`` to these questions."""
        return ask(self.tools, family, questions)


def set_sysctl(name: str, value: int) -> str:
    """Return the command that sets a kernel setting, such as ``net/ipv4/ip_forward``."""
    return f"sysctl -w {word(shown(name))}={value}"


def keep_sysctl(name: str, value: int) -> str:
    """Return advice to keep a kernel setting after the next boot."""
    return f"to keep it after a boot, write {shown(name)} = {value} into a file in /etc/sysctl.d"


def shown(name: str) -> str:
    """Return the usual name of a kernel setting, with dots, or with slashes if a device in it has dots in its name."""
    return name if "." in name else name.replace("/", ".")
