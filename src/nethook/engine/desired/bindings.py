"""What is bound to guests: elements of the table that keeps it to their NICs, and pins, which lead the host there."""

from __future__ import annotations

from nethook.host.links import tap_mac
from nethook.libvirt.network import Ports
from nethook.net.prefix import parse_prefix
from nethook.net.prefixes import Ordered, without
from nethook.parts.neighbours import NEIGHBOURS
from nethook.parts.routes import ROUTES
from nethook.parts.tables import binding
from nethook.placement.bound import is_undecided, macs_of, nic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from nethook.config import RoutedIP
    from nethook.engine.desired.state import Desired
    from nethook.engine.present import Present
    from nethook.host.keys import Element
    from nethook.host.nftables import Elements
    from nethook.libvirt.network import Network
    from nethook.net.prefix import Prefix
    from nethook.parts.kind import Key
    from nethook.placement.bound import Blocks
    from nethook.placement.scope import Scope


class Bindings:
    """Which blocks are bound, and to which NIC."""

    __slots__ = ("_pinned", "decided", "elements", "lines", "named", "nics", "pins")

    def __init__(self) -> None:
        self.elements: Elements = {name: set() for name in binding.SETS}
        self.pins: dict[Key, RoutedIP] = {}
        """Neighbour entries, with the line that wants each."""
        self.named: dict[str, Prefix] = {}
        """All blocks of the files that are bound to guests, by their text."""
        self.decided: set[str] = set()
        """Those of them of which this run decides to whom they are bound now."""
        self.lines: dict[str, RoutedIP] = {}
        """The line that each block of the files is of, and each address that is apart."""
        self.nics: dict[str, str] = {}
        """The MAC of the NIC that each bound line is for, whose guest is plugged in, by its prefix."""
        self._pinned: dict[tuple[str, str], Key] = {}

    def name(self, routed_ips: Iterable[RoutedIP], bound: Blocks, apart: Iterable[RoutedIP]) -> None:
        """What the files bind, and the lines of which addresses in it are apart, whatever this run decides about."""
        for routed in apart:
            self.lines[routed.prefix.text] = routed
            self._add(binding.APART, routed.prefix, ())
        for routed in routed_ips:
            for block in bound.get(routed.prefix.text, ()):
                self.named[block.text] = block
                self.lines[block.text] = routed

    def decides(self, name: str, element: Element) -> bool:
        """Whether an element that this set has, and that is not wanted, is for this run to delete."""
        if not binding.SETS[name].family or name in binding.OF_FILES:
            return True
        return element[-1] in self.decided or element[-1] not in self.named

    def reserve(self, blocks: Iterable[Prefix]) -> None:
        """Nobody may use these blocks of a bound line, unless they are bound to a NIC."""
        for block in blocks:
            self.decided.add(block.text)
            self._add(("bound", "claimed"), block, ())

    def bind(self, routed: RoutedIP, blocks: Iterable[Prefix], bridge: str, mac: str) -> None:
        """A bound line is for this NIC: its blocks, and the address at which the host looks for them."""
        self.nics[routed.prefix.text] = mac
        for block in blocks:
            self._add(("holders", "claimers"), block, (mac,))
        target = routed.via or (routed.prefix.text if routed.prefix.is_address else "")
        if not target:
            return
        rival = self._pinned.get((target, bridge))
        if rival:
            if routed.via:  # of one address, a line that is about it tells more than one with it as next hop
                return
            del self.pins[rival]
        self._pinned[target, bridge] = key = (target, bridge, mac)
        self.pins[key] = routed

    def bind_again(self, blocks: Iterable[Prefix], mac: str) -> None:
        """A bound line has been for this NIC, and stays so: its blocks are reserved for it."""
        for block in blocks:
            self._add(("bound", "claimed"), block, ())
            self._add(("holders", "claimers"), block, (mac,))

    def know_taps(self, macs: Collection[str], taps: Collection[tuple[str, str]]) -> None:
        """Which taps there are, and which belong to the NICs with these MACs, to which something is bound."""
        indices: dict[str, list[str]] = {}
        for index, tap in taps:
            indices.setdefault(tap, []).append(index)
        pairs = {(index, mac) for mac in macs for index in indices.get(tap_mac(mac), ())}
        self.elements[binding.NICS] = {(mac,) for mac in macs}
        self.elements[binding.TAPPED] = {(mac,) for _, mac in pairs}
        self.elements[binding.TAPS] = {(index,) for index, _ in taps}
        self.elements[binding.NIC_TAPS] = {*pairs}

    def _add(self, kinds: Iterable[str], block: Prefix, key: tuple[str, ...]) -> None:
        for kind in kinds:
            if kind in binding.KINDS[block.family]:
                name = binding.set_name(kind, block.family, single=block.is_address)
                self.elements[name].add((*key, block.text))


def decided_blocks(
    bound: Blocks,
    routed_ips: Iterable[RoutedIP],
    networks: Iterable[Network],
    scope: Scope,
    *,
    holders: Mapping[str, Collection[str]],
    routes: Collection[Key],
) -> tuple[Blocks, list[Key]]:
    """Of the blocks of all bound lines, those that this run decides about; ``holders`` are the MACs each is bound to.

    Also those of our routes that stay because nobody knows whether the guest of their line is plugged in.
    """
    decided: Blocks = {}
    stay: list[Key] = []
    if not bound:
        return decided, stay
    up = {network.name: network for network in networks}
    for routed in routed_ips:
        text = routed.prefix.text
        if not routed.guest or not scope.has_network(routed.network):
            continue
        network = up.get(routed.network)
        if text in scope.unresolved:
            continue
        if network and is_undecided(routed, network.ports, macs_of(bound[text], holders)):
            stay += [route for route in routes if route[:2] == (text, network.bridge)]
        else:
            decided[text] = bound[text]
    return decided, stay


def keep_bindings(desired: Desired, present: Present, doubtful: Callable[[Prefix], bool]) -> None:
    """Whatever is bound stays so for the routes that are kept, and for what may be meant by a wrong line.

    So does what this run does not decide about. Of that, only how it is cut into blocks may be other than it was: the
    line of another network that lies in it is new, or gone.
    """
    targets = {(route[2] or route[0], route[1]) for route in desired.kept[ROUTES]}
    desired.kept[NEIGHBOURS].update(pin for pin in present.objects[NEIGHBOURS] if pin[:2] in targets)
    if not present.binding:
        return
    bindings = desired.bindings
    prefixes = Ordered(block for block in bindings.named.values() if not block.is_address)
    for name in (name for name, kind in binding.SETS.items() if kind.family):
        for *mac, text in present.binding.elements[name]:
            if text in bindings.decided:
                continue
            block = parse_prefix(text)
            stay = [block] if doubtful(block) else []
            if text not in bindings.named and not block.is_address:
                stay = _cut(block, prefixes, bindings.decided, is_doubtful=bool(stay))
            bindings.elements[name].update((*mac, part.text) for part in stay)


def _cut(block: Prefix, prefixes: Ordered, decided: Collection[str], *, is_doubtful: bool) -> list[Prefix]:
    """What stays of a block that is there and that no line has; ``prefixes`` are those that lines have."""
    around = prefixes.around(block)
    if around:
        return [] if around.text in decided else [block]
    within = prefixes.within(block)
    rest = without(block, within) if is_doubtful else []
    return rest + [part for part in within if part.text not in decided]


def rebind(bindings: Bindings, present: Present, routed_ips: Iterable[RoutedIP], bound: Blocks, scope: Scope) -> None:
    """Bind again what this run does not decide about: somebody deleted the table that bound it, but not the routes."""
    there = {(route[0], route[1]): route for route in present.routes}
    lines = {routed.prefix.text: routed for routed in routed_ips if routed.prefix.text in bound}
    pins = {pin[:2]: pin[2] for pin in present.objects[NEIGHBOURS]}
    plugged = {network.name: network.ports for network in scope.known}
    for (text, bridge), route in there.items():
        routed = lines.get(text)
        blocks = bound.get(text)
        if not routed or not blocks or blocks[0].text in bindings.decided:
            continue
        mac = pins.get((route[2] or text, bridge))
        if not mac:
            mac = nic(routed, plugged.get(routed.network) or Ports((), all_known=False), ())
        if mac:
            bindings.bind_again(blocks, mac)
