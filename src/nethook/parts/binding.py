"""The table ``bridge nethook``, which keeps addresses to the guests that they are bound to. It exists only if one is.

Guests on the same bridge talk to each other without the host's IP layer, so what keeps one from taking the address of
another has to look at frames. It does when they enter the bridge, so whatever is their way from there: to another
guest, to the host, or through it to the outside. An address that is bound to a guest is an element in two sets:

- ``bound``    addresses that belong to a guest, plugged in or not; counts what was dropped because it claimed one
- ``holders``  (MAC, address) pairs that are right

Both exist for single addresses, which are looked at first, and for prefixes. An address with a line of its own within a
bound prefix is in a third, between the two: a hole in an interval for each would make the set too large.

- ``apart``    addresses that what is said of prefixes is not about

A guest can forge a MAC, too. So these are known of NICs that something is bound to, and of guests' taps:

- ``nics``      MACs of such NICs, ``tapped`` those of them whose tap is there: a NIC that is just plugged in has none;
                both count what was dropped because it came with this MAC and from another
- ``taps``      the taps of all guests
- ``nic_taps``  (tap, MAC) pairs that are right

A tap that is known does not pass with the MAC of another such NIC, and no other tap with that of a NIC whose own is
known. Taps are learned at the next event. So of two guests that are plugged in one after the other, the first is known
when the second comes, and neither can pass for the other; of two at the same moment, neither is until the next event.

IPv6 addresses are in three more, ``claimed``, ``claimers`` and ``target_apart``, because nft takes the address that a
neighbour message is about for a number. No guest but the holder gets through with a bound address as the source of an
IP packet, as the sender in ARP, or in a neighbour advertisement; nor does it with the question whether anybody has that
address (RFC 5227, RFC 4862), which keeps the holder from using it that asks this just then.

Only what comes from a guest is looked at, by the kind of the port: taps are virtual machines', veths containers'. What
comes through an uplink that is a port of some bridge may come from the same guest on its way back, or, during a
migration, on another host.

Most receivers take a VLAN tag 0 for none. The kernel has such a tag aside already, but nft would look for the type of
the frame before it, if ``meta protocol`` were not in each rule: that is the protocol behind the tag. Linux takes any
number of such tags for none, but only the first is aside, so a frame with another tag behind a tag 0 is dropped.
"""

from __future__ import annotations

from nethook.changes import ADD, BIND, Effect, Step, StepPiece, nft_call
from nethook.config.text import some
from nethook.host.layout import ADDRESS, INDEX, MAC, Layout, SetType, set_name
from nethook.host.links import tap_mac
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.neighbours import NEIGHBOURS
from nethook.parts.part import CREATED, OUR_TABLE, REMOVED, TableDelta, TablePart
from nethook.parts.routes import ROUTES
from nethook.placement import Lack, nic
from nethook.prefix import Ordered, parse_prefix, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from nethook.changes import Piece
    from nethook.config import RoutedIP
    from nethook.engine.case import Case
    from nethook.host import Host
    from nethook.host.nftables import Element, Elements, Table
    from nethook.placement import Placement
    from nethook.prefix import Prefix

FAMILY = "bridge"
NEEDED_NFT = "1.0.3"
"""Before that nft has no pairs in which one part is found at an offset in the packet (``TARGET``)."""
TARGET = "@th,64,128"
"""The address that a neighbour solicitation or advertisement is about. RFC 4861, sections 4.3 and 4.4."""
FIRST_VLAN = "@ll,116,12"
"""The VLAN of the outermost tag, which nft has no word for where the protocol is that behind it."""

NICS, TAPPED, TAPS, NIC_TAPS = "nics", "tapped", "taps", "nic_taps"
ADDRESSES = ("bound", "holders", "apart")
TARGETS = ("claimed", "claimers", "target_apart")
KINDS = {4: ADDRESSES, 6: ADDRESSES + TARGETS}
APART = frozenset(kinds[2] for kinds in (ADDRESSES, TARGETS))


def _sets() -> dict[str, SetType]:
    addresses = {
        set_name(kind, family, single=single): SetType(
            kind,
            *([MAC] if kind in {"holders", "claimers"} else []),
            ADDRESS[family],
            is_interval=not single,
            counts=kind in {"bound", "claimed"},
            in_payload=TARGET if kind in TARGETS else "",
        )
        for family, kinds in KINDS.items()
        for kind in kinds
        for single in ((True,) if kind in APART else (True, False))
    }
    return {
        **addresses,
        NICS: SetType(NICS, MAC, counts=True),
        TAPPED: SetType(TAPPED, MAC, counts=True),
        TAPS: SetType(TAPS, INDEX),
        NIC_TAPS: SetType(NIC_TAPS, INDEX, MAC),
    }


SETS = _sets()
OF_FILES = {
    set_name(kind, family, single=True) for family, kinds in KINDS.items() for kind in APART.intersection(kinds)
}
"""Those that depend on nothing but the files."""
HOOKS = {"prerouting": "type filter hook prerouting priority filter; policy accept;"}


def _rules(protocol: str, family: int, claim: str, *macs: str, kinds: tuple[str, str, str] = ADDRESSES) -> list[str]:
    """Return rules by which a claim of an address passes only if it is a pair with each of these MACs."""
    taken, pairs, apart = (f"@{kind}{family}" for kind in kinds)

    def decide(prefixes: str) -> tuple[str, str]:
        is_holder = " ".join(f"{mac} . {claim} {pairs}{prefixes}" for mac in macs)
        return f"{is_holder} return # its own", f"{claim} {taken}{prefixes} drop # somebody else's"

    rules = (*decide(""), f"{claim} {apart} return # not a prefix's", *decide("_prefixes"))
    return [f"meta protocol {protocol} {rule}" for rule in rules]


NDP = "meta protocol ip6 meta l4proto icmpv6 icmpv6 type"

CHAINS = {
    "sent_ipv4": _rules("ip", 4, "ip saddr", "ether saddr"),
    "sent_arp": _rules("arp", 4, "arp saddr ip", "ether saddr", "arp saddr ether"),
    "probed_arp": _rules("arp", 4, "arp daddr ip", "ether saddr"),
    "sent_ipv6": _rules("ip6", 6, "ip6 saddr", "ether saddr"),
    # No rule in here says which type it is: newer nft would print the target in words that it does not read.
    "targeted": _rules("ip6", 6, TARGET, "ether saddr", kinds=TARGETS),
    "nic": [
        f"iif . ether saddr @{NIC_TAPS} return # its own",
        f"iif @{TAPS} ether saddr @{NICS} drop # somebody else's",
        f"ether saddr @{TAPPED} drop # somebody else's",
    ],
    "prerouting": [
        'meta iifkind != { "tun", "veth" } accept # not from a guest',
        "jump nic",
        "meta protocol ip goto sent_ipv4",
        "meta protocol arp arp saddr ip 0.0.0.0 goto probed_arp # asks whether anybody has it",
        "meta protocol arp goto sent_arp",
        "meta protocol ip6 jump sent_ipv6",
        f"{NDP} nd-neighbor-advert goto targeted",
        f"{NDP} nd-neighbor-solicit ip6 saddr :: goto targeted # asks whether anybody has it",
        f"meta protocol {{ 8021q, 8021ad }} {FIRST_VLAN} 0 counter drop # hides what it is from us, not from receivers",
    ],
}

LAYOUT = Layout(FAMILY, SETS, HOOKS, CHAINS)
TABLE = LAYOUT.table

UNBOUND = (
    "cannot stop other guests from using bound addresses, so new addresses with guest= are not routed "
    f"(it takes nft {NEEDED_NFT} or later and a kernel with nftables for bridges)"
)
UNKEPT = "still routed, but other guests can use them as well"
MOST_NAMED = 5
"""Addresses in one sentence."""


class Bindings:
    """The elements that are wanted, and what they are about.

    ``named`` are all blocks of the files that are bound to guests, by their text; ``decided`` those of them of which
    this run decides to whom they are bound now; ``lines`` the line of each block, and of each address that is apart.
    """

    __slots__ = ("decided", "elements", "lines", "named")

    def __init__(self) -> None:
        self.elements: Elements = {name: set() for name in SETS}
        self.named: dict[str, Prefix] = {}
        self.decided: set[str] = set()
        self.lines: dict[str, RoutedIP] = {}

    def add(self, roles: Iterable[str], block: Prefix, *mac: str) -> None:
        """Add an element for this block to the sets of these roles, for a MAC or without one."""
        for role in roles:
            if role in KINDS[block.family]:
                self.elements[set_name(role, block.family, single=block.is_address)].add((*mac, block.text))

    def reserve(self, blocks: Iterable[Prefix], mac: str | None) -> None:
        """Let nobody use these blocks but the NIC with this MAC; without one, nobody."""
        for block in blocks:
            self.add(("bound", "claimed"), block)
            if mac:
                self.add(("holders", "claimers"), block, mac)

    def decides_about(self, name: str, element: Element) -> bool:
        """Return whether an element that this set has, and that is not wanted, is for this run to delete."""
        if not SETS[name].family or name in OF_FILES:
            return True
        return element[-1] in self.decided or element[-1] not in self.named


class Binding(
    TablePart,
    words={
        "reserved": "reserved {prefix} for its guest",
        "bound": "bound {prefix} to {to}",
        "apart": "apart {prefix} from the bound prefix around it",
    },
):
    """The table ``bridge nethook``."""

    name = "binding"
    family = FAMILY
    sets = SETS

    def layout(self, case: Case) -> Layout:
        """Return the table, which is always the same."""
        del case
        return LAYOUT

    def want(self, case: Case) -> Bindings:
        """Want each bound block reserved, and bound to the NIC of its guest if that is plugged in."""
        bindings = Bindings()
        placements = case.placements
        for placed in placements.lines:
            blocks = placements.blocks.get(placed.line.prefix.text, ())
            if placed.is_decided:
                bindings.decided.update(block.text for block in blocks)
                bindings.reserve(blocks, placed.mac)
        table: Table | None = case.state(self)
        if placements.blocks or table:
            _name(bindings, case)
            if table:
                _keep(bindings, table, case)
            else:
                _bind_again(bindings, case)
        macs = _macs_afterwards(bindings, table)
        if macs:
            _know_taps(bindings.elements, macs, case)
        return bindings

    def elements(self, case: Case) -> Elements:
        """Return the elements that are wanted."""
        bindings: Bindings = case.wanted(self)
        return bindings.elements

    def decides_about(self, case: Case, name: str, surplus: set[Element]) -> set[Element]:
        """Return the elements of decided blocks, and of blocks that no line has any more."""
        bindings: Bindings = case.wanted(self)
        return {element for element in surplus if bindings.decides_about(name, element)}

    def compare(self, case: Case) -> TableDelta:
        """Return the difference. The table comes with the first bound line, and goes with the last."""
        delta = self.difference(case)
        table, bindings = case.state(self), case.wanted(self)
        if bindings is not None and not bindings.named and not any(bindings.elements.values()):
            delta.gone, delta.new = {}, {}
            delta.what = REMOVED if table else ""
        elif bindings is not None and table is None and any(delta.new.values()):
            delta.what = CREATED
        return delta

    def effects(self, case: Case, sign: str, elements: Elements) -> Iterator[Effect]:
        """Yield an effect for each block that is reserved for a guest, or bound to a NIC, and each address apart."""
        bindings: Bindings = case.wanted(self)
        for role, kind in (("bound", "reserved"), ("holders", "bound"), ("apart", "apart")):
            members = {member for name in elements if SETS[name].role == role for member in elements[name]}
            for *mac, block in sorted(members):
                line = bindings.lines.get(block) if sign == ADD else None
                yield Effect(sign, kind, prefix=block, to="".join(mac), line=line)

    def note(self, case: Case) -> set[str]:
        """Return the prefixes of the bound lines whose elements or pins are not all in force."""
        bindings: Bindings = case.wanted(self)
        delta = case.delta(self)
        names = (name for name in delta.new if SETS[name].role in {"bound", "holders"})
        blocks = {block for name in names for *_, block in delta.new[name]}
        pins = case.wanted(NEIGHBOURS).keys
        lacking = {bindings.lines[block].prefix.text for block in blocks & bindings.lines.keys()}
        return lacking.union(pins[pin].prefix.text for pin in case.delta(NEIGHBOURS).new)

    def lacks(self, case: Case, placement: Placement) -> Iterator[Lack]:
        """Yield that other guests may still use the address."""
        line = placement.line
        if not line.guest or CLASSIFYING.is_lacking(case):
            return
        if self.is_lacking(case):
            yield Lack(OUR_TABLE, reason=not_kept(case, placement))
        elif line.prefix.text in case.note(self):
            is_routed = (line.prefix.text, placement.bridge) in case.routed_now
            text = "is routed, but other guests can use it as well" if is_routed else "is not bound to its guest's NIC"
            yield Lack(OUR_TABLE, f"{line.prefix} {text}", reason=not_kept(case, placement))

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield its transaction, before which no new address of a bound line may be routed."""
        if case.clears:
            yield from self.removal(case)
        elif case.binds:
            step = BindingStep(case.delta(self).commands, self.all_effects(case), _unkept(case))
            yield StepPiece(BIND, step)


def not_kept(case: Case, placement: Placement) -> str:
    """Return what status says of a bound line that other guests can use; '' if it is not routed either."""
    if (placement.line.prefix.text, placement.bridge) not in case.routed_now:
        return ""
    return f"routed, but guests other than {placement.line.guest} can use it as well; run nethook apply"


class BindingStep(Step):
    """The table changed that keeps addresses to their guests.

    Without it, no new address of a bound line is routed. One that is routed already stays so: until now every guest of
    its network could use it, and to withdraw it would only take it from its guest as well.
    """

    def __init__(self, commands: Sequence[str], effects: Sequence[Effect], routed: Sequence[RoutedIP]) -> None:
        """``routed`` are the lines that are routed already and are not kept to their guests without this step."""
        super().__init__(nft_call(commands), effects, ends_run=True)
        self._routed = routed

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Run it; a failure says what it costs."""
        done, failures = super().take(host)
        named = some([f"{line.prefix} ({line.guest})" for line in self._routed], MOST_NAMED)
        unkept = f"; {UNKEPT}: {named}" if named else ""
        return done, [f"{UNBOUND}{unkept}: {failure}" for failure in failures]


def _unkept(case: Case) -> list[RoutedIP]:
    """Return the bound lines that are routed already, and that are not kept to their guests before binding changes."""
    bindings: Bindings = case.wanted(BINDING)
    blocks = {block for elements in case.delta(BINDING).new.values() for *_, block in elements}
    lacking = {bindings.lines[block].prefix.text for block in blocks & bindings.lines.keys()}
    new = {*case.delta(ROUTES).new, *case.delta(ROUTES).inherited}
    routes = ((route, line) for route, line in case.wanted(ROUTES).keys.items() if line.guest and route not in new)
    return [line for _, line in routes if line.prefix.text in lacking]


def _name(bindings: Bindings, case: Case) -> None:
    """Enter what the files bind, and the addresses that are apart, whatever this run decides about."""
    for line in case.placements.apart:
        bindings.lines[line.prefix.text] = line
        bindings.add(APART, line.prefix)
    for line in case.lines:
        for block in case.placements.blocks.get(line.prefix.text, ()):
            bindings.named[block.text] = block
            bindings.lines[block.text] = line


def _keep(bindings: Bindings, table: Table, case: Case) -> None:
    """Keep what is bound and what a wrong line may be about, or this run does not decide about.

    Of that, only how it is cut into blocks may be other than it was: the line of another network that lies in it is
    new, or gone.
    """
    prefixes = Ordered(block for block in bindings.named.values() if not block.is_address)
    for name in (name for name, kind in SETS.items() if kind.family):
        for *mac, text in table.elements[name]:
            if text in bindings.decided:
                continue
            block = parse_prefix(text)
            stay = [block] if case.configuration.in_doubt_within(block) else []
            if text not in bindings.named and not block.is_address:
                stay = _cut(block, prefixes, bindings.decided, is_doubtful=bool(stay))
            bindings.elements[name].update((*mac, part.text) for part in stay)


def _cut(block: Prefix, prefixes: Ordered, decided: Collection[str], *, is_doubtful: bool) -> list[Prefix]:
    """Return what stays of a block that is there and that no line has; ``prefixes`` are those that lines have."""
    around = prefixes.around(block)
    if around:
        return [] if around.text in decided else [block]
    within = prefixes.within(block)
    rest = without(block, within) if is_doubtful else []
    return rest + [part for part in within if part.text not in decided]


def _bind_again(bindings: Bindings, case: Case) -> None:
    """Bind again what this run does not decide about: somebody deleted the table that bound it, but not the routes."""
    lines = {line.prefix.text: line for line in case.lines if line.guest}
    pins = {(pin[0], pin[1]): pin[2] for pin in case.state(NEIGHBOURS)}
    plugged = {network.name: network.ports for network in case.scope.known}
    for route in case.routes:
        line = lines.get(route.prefix)
        blocks = case.placements.blocks.get(route.prefix)
        if not line or not blocks or blocks[0].text in bindings.decided:
            continue
        mac = pins.get((route.via or route.prefix, route.device))
        if not mac and line.network in plugged:
            mac = nic(line, plugged[line.network], ())
        if mac:
            bindings.reserve(blocks, mac)


def _macs_afterwards(bindings: Bindings, table: Table | None) -> set[str]:
    """Return the MACs that something is bound to when the change has been made."""
    macs: set[str] = set()
    for name, kind in SETS.items():
        if kind.role == "holders":
            there = table.elements[name] if table else set()
            wanted = bindings.elements[name]
            stay = {element for element in there - wanted if not bindings.decides_about(name, element)}
            macs.update(mac for mac, _ in wanted | stay)
    return macs


def _know_taps(elements: Elements, macs: Collection[str], case: Case) -> None:
    """Enter the NICs with these MACs, all taps, and which of them belong together."""
    taps = [(str(link.number), link.mac) for link in case.snapshot.links if link.is_tap]
    indices: dict[str, list[str]] = {}
    for index, tap in taps:
        indices.setdefault(tap, []).append(index)
    pairs = {(index, mac) for mac in macs for index in indices.get(tap_mac(mac), ())}
    elements[NICS] = {(mac,) for mac in macs}
    elements[TAPPED] = {(mac,) for _, mac in pairs}
    elements[TAPS] = {(index,) for index, _ in taps}
    elements[NIC_TAPS] = {*pairs}


BINDING = Binding()
