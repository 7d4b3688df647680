"""Our gateways: addresses on bridges that guests use as their gateway, the same ones on each host and each network.

That an address is ours its metric tells, which is our number. It has no other effect: where the kernel makes a route
for the address, it is the only one of its kind. (A protocol number of addresses is not known to kernels before 5.18,
nor to iproute2 6.1.)

An IPv4 one has a label of its own. dnsmasq, which libvirt runs for each network, listens at all addresses of its bridge
whose label is the bridge's name. With the same address on two bridges, only one dnsmasq can have it. The other goes on
without, but when libvirt starts it anew, as it does when a DHCP range changes, it ends: "failed to create listening
socket for 169.254.0.1: Address already in use". https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html (--interface)

And the table ``arp nethook``: who asks for one of them is answered on the bridges that have it, nowhere else. Linux
answers ARP for each of its addresses on each of its devices. A gateway of ours is a link-local address, so the
provider's network may have somebody else with the same one. Everything in the table follows from the gateways that
there are, so it is written anew as a whole whenever they change, and known as right by the comments of its rules.
"""

from __future__ import annotations

from binascii import crc32

from nethook.changes import ADD, CLASSIFY, REMOVE, Effect, NftPiece
from nethook.changes import ARP as ALONE
from nethook.host.layout import NAME, URL
from nethook.parts.classifying import BRIDGES, CLASSIFYING
from nethook.parts.part import Key, Objects, Part, Wanted
from nethook.parts.switches import IPV6
from nethook.placement import ASIDE, Lack
from nethook.prefix import NAME_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from nethook.changes import Piece
    from nethook.config import RoutedIP
    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host import Host
    from nethook.host.addresses import Address
    from nethook.placement import Placement

NO_PREFIX_ROUTE = 0x200
WITHOUT_ROUTE = "noprefixroute"
"""For IPv6 on a bridge that has ``fe80::/64`` already: the kernel would leave a second route when the gateway goes."""
ASIDE_ADVICE = "choose another one as gateway4 in /etc/nethook/nethook.conf, or have them use that of their network"
LENGTHS = {4: 32, 6: 64}
"""A single IPv4 address has no subnet; a link-local IPv6 one has the subnet that all have."""


class Gateway(Key):
    """Address, bridge, and WITHOUT_ROUTE or ''."""

    __slots__ = ()

    @property
    def how(self) -> str:
        """WITHOUT_ROUTE or ''."""
        return self[2]


class Gateways(Objects, words={"gateway": "gateway {prefix} on {bridge}"}):
    """Our gateways: the same address on every bridge that has routed addresses."""

    name = "gateway"
    already_gone = (
        *(*Objects.already_gone, "Cannot assign requested address"),
        *("ipv4: Address not found", "ipv6: address not found"),  # what kernels of today say
    )

    def read(self, host: Host, question: Question) -> set[Gateway]:
        """Return ours among the addresses of this host."""
        del host
        return {key for key, is_ours in _keys(question.addresses, question.protocol) if is_ours}

    def want(self, case: Case) -> Wanted:
        """Want one on each of libvirt's own bridges that has routed addresses of the family.

        A bridge on which the address is taken has somebody else with it.
        """
        wanted = self._desired(case)
        taken = self._taken(case, wanted)
        stay: set[Gateway] = set()
        for route in case.placements.kept:
            address = case.settings.gateway(6 if ":" in route.prefix else 4)
            if address:
                stay.update(Gateway((address, route.device, how)) for how in ("", WITHOUT_ROUTE))
        return Wanted({key: line for key, line in wanted.items() if key[:2] not in taken}, stay)

    def _desired(self, case: Case) -> dict[Gateway, RoutedIP]:
        """Return the gateways that lines want, also those that are taken."""
        first: dict[tuple[str, bool], RoutedIP] = {}
        for placed in case.placements.placed:
            first.setdefault((placed.bridge, placed.line.prefix.family == 6), placed.line)
        bridges = case.wanted(CLASSIFYING)[BRIDGES]
        wanted: dict[Gateway, RoutedIP] = {}
        for (bridge, _), line in first.items():
            address = case.settings.gateway(line.prefix.family)
            if address and (bridge,) in bridges:
                # A bridge with IPv6 by our doing has no other link-local address.
                is_bare = line.prefix.family == 4 or IPV6.is_ours(case, bridge)
                wanted.setdefault(Gateway((address, bridge, "" if is_bare else WITHOUT_ROUTE)), line)
        return wanted

    def _taken(self, case: Case, wanted: Iterable[Gateway]) -> dict[tuple[str, str], str]:
        """Return the device that has the address already, by address and bridge of each gateway that cannot be.

        That is an IPv4 one anywhere on this host, a link-local one on this bridge.
        """
        found: dict[tuple[str, str], str] = {}
        lacking = set(wanted) - case.state(self)
        others = [key for key, is_ours in _keys(case.snapshot.addresses, case.protocol) if not is_ours and lacking]
        for address, bridge, _ in lacking:
            for other, device, _ in others:
                if address == other and (":" not in address or bridge == device):
                    found[address, bridge] = device
        return found

    def note(self, case: Case) -> tuple[dict[tuple[str, int], str], dict[tuple[str, str], str]]:
        """Return the gateways that are lacking, by bridge and family, and the devices of those that are taken."""
        lacking = {(key.device, 6 if ":" in key.prefix else 4): key.prefix for key in case.delta(self).new}
        return lacking, self._taken(case, self._desired(case))

    def lacks(self, case: Case, placement: Placement) -> Iterator[Lack]:
        """Yield that guests have no gateway yet."""
        bridge, family = placement.bridge, placement.line.prefix.family
        lacking, taken = case.note(self)
        if (bridge, family) in lacking:
            text = f"guests on {bridge} cannot reach their gateway {lacking[bridge, family]}: no device has it"
            yield Lack("gateway", text, ASIDE)
        gateway = case.settings.gateway(family) or ""
        device = taken.get((gateway, bridge), bridge)
        if device != bridge:
            text = f"guests on {bridge} cannot use {gateway} as their gateway: it is on {device}"
            yield Lack("gateway", text, ASIDE, command="", advice=ASIDE_ADVICE)

    def add(self, key: Gateway, protocol: int) -> str:
        """Return the line that adds it, of use at once: nobody is asked whether the IPv6 address is taken."""
        more = f" nodad {key.how}" if ":" in key.prefix else _label(key.device)
        return f"address add {_words(key)} metric {protocol}{more}".rstrip()

    def delete(self, key: Gateway, protocol: int) -> str:
        """Return the line that deletes the address from this bridge."""
        del protocol
        return f"address delete {_words(key)}"


def _words(key: Gateway) -> str:
    return f"{key.prefix}/{LENGTHS[6 if ':' in key.prefix else 4]} dev {key.device}"


def _label(device: str) -> str:
    """Return the words that give an address a label that is not its device's name, as far as there is room for one."""
    label = f"{device}:nethook"[: NAME_SIZE - 1]
    return f" label {label}" if label != device else ""


def _keys(addresses: Sequence[Address], protocol: int) -> Iterator[tuple[Gateway, bool]]:
    """Yield each address as a key, and whether it is ours."""
    for each in addresses:
        key = Gateway((each.text, each.device, WITHOUT_ROUTE if each.flags & NO_PREFIX_ROUTE else ""))
        yield key, each.metric == protocol and each.length == LENGTHS[each.family]


GATEWAYS = Gateways()


ARP_FAMILY = "arp"
ARP_TABLE = f"{ARP_FAMILY} {NAME}"


class ArpRules:
    """The rules for these gateways; those of IPv6 need none."""

    def __init__(self, gateways: Collection[Gateway]) -> None:
        bridges: dict[str, list[str]] = {}
        for address, bridge, _ in sorted(gateways):
            if ":" not in address:
                bridges.setdefault(address, []).append(bridge)
        self.addresses = list(bridges)
        self._matches = [
            "arp operation request arp daddr ip {} iifname != {{ {} }} drop".format(
                address, ", ".join(f'"{bridge}"' for bridge in names)
            )
            for address, names in bridges.items()
        ]
        fingerprint = f"{crc32(repr(self._matches).encode()):08x}"
        self.comments = [f"towards guests only {fingerprint}" for _ in self._matches]

    def commands(self) -> list[str]:
        """Return the nft commands that make the table so, whether or not there is one; without rules it goes.

        What is there is emptied and not deleted, for which the kernel waits 10 ms and more.
        """
        if not self._matches:
            return [f"add table {ARP_TABLE}", f"delete table {ARP_TABLE}"]
        return [
            f'add table {ARP_TABLE} {{ comment "{URL}"; }}',
            f"add chain {ARP_TABLE} input {{ type filter hook input priority filter; policy accept; }}",
            f"flush chain {ARP_TABLE} input",
            *(
                f'add rule {ARP_TABLE} input {match} comment "{comment}"'
                for match, comment in zip(self._matches, self.comments)
            ),
        ]


class Arp(Part):
    """The table ``arp nethook``. Its state are the comments of its rules."""

    name = "arp"

    def read(self, host: Host, question: Question) -> list[str]:
        """Return the comments of its rules; none where there is no such table."""
        table = host.table(ARP_FAMILY, {}) if ARP_FAMILY in question.tables else None
        return table.comments.get("input", []) if table else []

    def want(self, case: Case) -> ArpRules:
        """Want rules for all gateways, when the changes of these have been made."""
        return ArpRules(case.afterwards(GATEWAYS))

    def want_nothing(self) -> ArpRules:
        """Return that no rule is wanted."""
        return ArpRules(())

    def compare(self, case: Case) -> ArpRules | None:
        """Return the rules if they are not as they should be."""
        wanted: ArpRules = case.wanted(self)
        return wanted if wanted.comments != list(case.state(self)) else None

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield its commands. If they may have failed before, they are a step of their own: routing works without."""
        rules: ArpRules | None = case.delta(self)
        if rules is None:
            return
        if rules.addresses:
            effect = Effect(ADD, "arp", note=f"for {', '.join(rules.addresses)}, answered towards guests only")
        else:
            effect = Effect(REMOVE, "arp", note="rules for gateways")
        yield NftPiece(ALONE if case.again else CLASSIFY, rules.commands(), [effect], joins=True)


ARP = Arp()
