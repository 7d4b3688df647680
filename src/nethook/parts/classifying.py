"""The table ``inet nethook``, which says of each packet whether it is about a routed IP and allowed.

Its rules are constant text, whatever is configured.

Packets are classified here, once, before the filter chains of every other firewall. What is allowed gets the mark bit,
and each of those firewalls has one constant gate for that bit. A routed IP is an element in three sets:

- ``to``      (bridge, address) pairs that packets are delivered to; counts what was sent to them
- ``from``    (bridge, address) pairs that packets may come from; counts what they sent
- ``routed``  all configured addresses, wherever they are now; counts what was dropped because it forged one of them

Each exists per family, and once for single addresses (hash sets, cheap in any number) and once for prefixes (interval
sets, whose cost grows with the square of their size when an interface is in the key).

Which bridge an address lives on, the kernel's routes decide (``fib``): they know the longest prefix. A packet from a
guest whose source does not live behind the bridge it came through reaches no routed IP, and if it claims to be a routed
IP it reaches nobody, the host included.

What is allowed, and nothing else:

====================================================  =================
outside → routed IP, and back                         yes
routed IP → routed IP, also of another network        yes
private address of a nat, route, open one → routed    yes
isolated network → routed IP                          no
routed IP → private address of another network        no
forged source → routed IP; forged routed IP → anyone  no
replies of allowed connections                        yes
====================================================  =================

"No" means unmarked, so that the other firewalls decide as if we were not there, except for what is forged: that is
dropped. A packet is looked up in each set at most once, so that the counters count packets.

Every packet leaves with the mark that it came with. If our bit is in that mark, somebody else has set it, and between
our two chains it would open the gates. So the packet loses it in the first chain and gets it back in the second. The
packet's priority (``skb->priority``) remembers this in between: only tc reads it, later. It consists of MAJOR and MINOR
of a class of tc, 16 bits each. A MAJOR from 0x6800 to 0x6fff is taken for ours. With another one above 0xff, which
hardly anybody writes, there is no place to remember anything: such a packet does not get the bit back.
"""

from __future__ import annotations

from nethook.changes import ADD, CLASSIFY, REMOVE, Effect, NftPiece
from nethook.host.layout import ADDRESS, DEVICE, NAME, Layout, SetType, set_name
from nethook.host.nftables import encoded
from nethook.parts.part import CREATED, OUR_TABLE, TableDelta, TablePart, settled
from nethook.placement import WEAK, Lack
from nethook.prefix import Longest, can_exist, is_sayable, outermost, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from nethook.changes import Piece
    from nethook.engine.case import Case
    from nethook.host import Host
    from nethook.host.nftables import Element, Elements, Table
    from nethook.placement import Placement
    from nethook.placement.scope import Scope
    from nethook.prefix import Prefix

FAMILY = "inet"
TABLE = f"{FAMILY} {NAME}"
TABLES_WITH_BRIDGES = (FAMILY, "ip", "ip6")
"""nft's words for the families of our tables that know the bridges with guests: this one, and those of forwards."""
BRIDGES, ISOLATED = "bridges", "isolated"
KINDS = {BRIDGES: "bridge", ISOLATED: "isolated"}
"""What effects call the elements of each set."""
TO, FROM, ROUTED = "to", "from", "routed"
FAMILIES = ((4, "ip"), (6, "ip6"))
IN_USE, IS_OURS, OURS = 0xFF000000, 0xF8000000, 0x68000000
"""The bits of a priority that must be 0 for us to use it; those that tell that we do, and how."""
FLAGS = (0x01000000, 0x02000000, 0x04000000)
"""Bits of such a priority: which of our mark bits a packet has had."""


def _sets() -> dict[str, SetType]:
    """Return every set by name."""
    sets = {name: SetType(name, DEVICE) for name in (BRIDGES, ISOLATED)}
    for family, _ in FAMILIES:
        for role in (TO, FROM, ROUTED):
            for single in (True, False):
                fields = (ADDRESS[family],) if role == ROUTED else (DEVICE, ADDRESS[family])
                sets[set_name(role, family, single=single)] = SetType(
                    role, *fields, is_interval=not single, counts=True
                )
    return sets


SETS = _sets()


HOOKS = {
    "forward": "type filter hook forward priority filter - 10; policy accept;",
    "forward_end": "type filter hook forward priority filter + 20; policy accept;",
    "input": "type filter hook input priority filter - 10; policy accept;",
}


class Ruleset(Layout):
    """The table for one mark bit."""

    def __init__(self, mark_bit: int, former: Sequence[int] = ()) -> None:
        """``former`` are bits of gates that were opened for another setting: until they are closed, packets get both.

        So each gate, new or old, lets pass what it should, and nothing else.
        """
        bits = (mark_bit, *former)[: len(FLAGS)]
        mask = 0
        for bit in bits:
            mask |= bit
        clear = f"meta mark set meta mark & {0xFFFFFFFF & ~mask:#010x}"
        is_flagged = f"meta priority & {IS_OURS:#x} == {OURS:#x}"
        flags = [(f"meta mark & {bit:#010x} != 0", f"meta mark | {bit:#010x}", flag) for bit, flag in zip(bits, FLAGS)]
        chains = {
            "allow": [f"meta mark set meta mark | {mask:#010x} # passes the gates"],
            "put_aside": [
                f"meta priority & {IN_USE:#x} == 0 meta priority set meta priority | {OURS:#x} # to remember it",
                *(f"{is_set} {is_flagged} meta priority set meta priority | {flag:#x}" for is_set, _, flag in flags),
                f"{clear} # somebody else's bit opens no gate",
            ],
            "give_back": [
                *(f"meta priority & {flag:#x} != 0 meta mark set {was} # as it came" for _, was, flag in flags),
                f"meta priority set meta priority & {0xFFFFFFFF & ~IN_USE:#x} # as it came",
            ],
        }
        for family, ip in FAMILIES:
            chains.update(_family_chains(family, ip))
        chains["forward"] = [
            f"meta mark & {mask:#010x} != 0 jump put_aside # somebody else has set it",
            "meta nfproto ipv4 goto forward4",
            "meta nfproto ipv6 goto forward6",
        ]
        chains["forward_end"] = [
            f"meta mark & {mask:#010x} != 0 {clear} # behind the last gate the bit has done its work",
            f"{is_flagged} goto give_back # what was put aside",
        ]
        chains["input"] = [
            'iifname != @bridges meta iifkind != { "tun", "veth" } accept # not from a guest',
            "meta nfproto ipv4 goto input4",
            "meta nfproto ipv6 goto input6",
        ]
        super().__init__(FAMILY, SETS, HOOKS, chains)


def _family_chains(family: int, ip: str) -> dict[str, list[str]]:
    """Return the chains of one IP family."""
    astray = "fib saddr . iif oif missing"
    sent_from = f"iifname . {ip} saddr @from{family}"
    delivered_to = f"oifname . {ip} daddr @to{family}"
    is_routed = f"{ip} saddr @routed{family}"
    deliveries = [
        f"{delivered_to} goto to_routed{family}",
        f"{delivered_to}_prefixes goto to_routed{family}",
    ]
    sent_and_deliveries = [
        f"{sent_from} goto from_routed{family}",
        f"{sent_from}_prefixes goto from_routed{family}",
        *deliveries,
    ]
    return {
        f"from_routed{family}": [
            'meta oifkind != "bridge" goto allow # to the outside',
            f"{delivered_to} goto allow # both are public",
            f"{delivered_to}_prefixes goto allow # both are public",
            "ct state established,related goto allow # reply",
            "oifname != @bridges goto allow # to the outside, not to private guests",
        ],
        f"to_routed{family}": [
            "iifname != @isolated goto allow # isolated stays isolated",
            "ct state established,related goto allow # reply",
        ],
        f"astray{family}": [
            f"{is_routed} drop # forged",
            f"{is_routed}_prefixes drop # forged",
            f"{delivered_to} drop # from a forged address",
            f"{delivered_to}_prefixes drop # from a forged address",
        ],
        f"from_guest{family}": [
            f"{astray} goto astray{family} # its source does not live there",
            *sent_and_deliveries,
        ],
        f"from_bridge{family}": sent_and_deliveries,
        # What comes from the usual uplink is looked up only once.
        f"forward{family}": [
            f"iifname @bridges goto from_guest{family}",
            f'meta iifkind "bridge" goto from_bridge{family} # guests may be on a bridge of the host',
            *deliveries,
        ],
        # What a bridge takes for itself comes with the port as its device (switches.py), behind which nobody lives.
        f"input{family}": [
            f"{astray} {is_routed} drop # forged",
            f"{astray} {is_routed}_prefixes drop # forged",
        ],
    }


class Classifying(
    TablePart,
    words={
        "accept": "accept {prefix} on {bridge}",
        "guard": "guard {prefix} against forgery",
        "bridge": "bridge {bridge} as one of libvirt's",
        "isolated": "bridge {bridge} as isolated",
    },
):
    """The table ``inet nethook``."""

    name = "table"
    family = FAMILY
    sets = SETS

    def layout(self, case: Case) -> Layout:
        """Return the table for the mark bit of the settings, and for bits of gates that are still open."""
        return Ruleset(case.settings.mark_bit, case.former_bits)

    def want(self, case: Case) -> Elements:
        """Want the bridges with guests, each address where it is routed to, and all addresses guarded.

        Bridges whose names nft cannot say are added otherwise (``protect``).
        """
        elements: Elements = {name: set() for name in SETS}
        for bridge, is_isolated in case.scope.guest_bridges:
            if is_sayable(bridge):
                elements[BRIDGES].add((bridge,))
                if is_isolated:
                    elements[ISOLATED].add((bridge,))
        held: dict[str, list[Prefix]] = {}
        for placed in case.placements.placed:
            held.setdefault(placed.bridge, []).append(placed.line.prefix)
        for route in case.placements.kept:
            held.setdefault(route.device, []).append(parse_prefix(route.prefix))
        for bridge, prefixes in held.items():
            for (family, is_address), texts in _by_kind(outermost(prefixes)):
                there = {(bridge, text) for text in texts}
                for role in (TO, FROM):
                    elements[set_name(role, family, single=is_address)] |= there
        guarded = outermost([*(line.prefix for line in case.lines), *case.placements.guarded])
        for (family, is_address), texts in _by_kind(guarded):
            elements[set_name(ROUTED, family, single=is_address)].update((text,) for text in texts)
        return elements

    @staticmethod
    def accepted(table: Table) -> set[Element]:
        """Return each bridge and prefix of this table that guests on the bridge may use."""
        return {member for name, members in table.elements.items() if SETS[name].role == TO for member in members}

    def elements(self, case: Case) -> Elements:
        """Return the elements that are wanted."""
        wanted: Elements = case.wanted(self)
        return wanted

    def families(self, case: Case) -> set[int]:
        """Return the IP families of all that lines want, or that stays because of a wrong line."""
        elements: Elements | None = case.wanted(self)
        return {SETS[name].family for name, members in (elements or {}).items() if members} - {0}

    def decides_about(self, case: Case, name: str, surplus: set[Element]) -> set[Element]:
        """Return those elements. Every run decides about guarded addresses, which depend on the files alone."""
        if SETS[name].role == ROUTED:
            return surplus
        if name in {BRIDGES, ISOLATED}:
            return {element for element in surplus if case.scope.has(element[0]) and is_sayable(element[0])}
        return {
            (bridge, block) for bridge, block in surplus if case.scope.has(bridge) or block in case.placements.prefixes
        }

    def compare(self, case: Case) -> TableDelta:
        """Return the difference. The table is always there, but when everything goes."""
        delta = self.difference(case)
        if case.state(self) is None and case.wanted(self) is not None:
            delta.what = CREATED
        return delta

    def concerns_configured(self, case: Case) -> bool:
        """Return whether prefixes come or go that are configured, wherever they are."""
        delta = case.delta(self)
        return any(
            members and SETS[name].role == ROUTED
            for elements in (delta.gone, delta.new)
            for name, members in elements.items()
        )

    def effects(self, case: Case, sign: str, elements: Elements) -> Iterator[Effect]:
        """Yield an effect for each address whose acceptance changes, in however many of our sets."""
        del case
        accepted: set[tuple[str, str]] = set()
        guarded: set[str] = set()
        for name, members in elements.items():
            if name == BRIDGES:
                yield from (Effect(sign, "bridge", bridge=bridge) for (bridge,) in sorted(members))
            elif name == ISOLATED:
                yield from (Effect(sign, "isolated", bridge=bridge) for (bridge,) in sorted(members))
            elif SETS[name].role == ROUTED:
                guarded.update(block for (block,) in members)
            else:
                accepted.update((block, bridge) for bridge, block in members)
        yield from (Effect(sign, "accept", prefix=block, bridge=bridge) for block, bridge in sorted(accepted))
        unaccepted = guarded - {block for block, _ in accepted}
        yield from (Effect(sign, "guard", prefix=block) for block in sorted(unaccepted))

    def note(self, case: Case) -> tuple[dict[str, Longest], Longest]:
        """Return the prefixes that are yet to be accepted on each bridge, and those that are yet to be guarded."""
        accepts: dict[str, dict[str, Prefix]] = {}
        guards = []
        for name, members in case.delta(self).new.items():
            if SETS[name].role == ROUTED:
                guards += [parse_prefix(block) for (block,) in members]
            elif SETS[name].role in {TO, FROM}:
                for bridge, block in members:
                    accepts.setdefault(bridge, {})[block] = parse_prefix(block)
        accepted = {block for blocks in accepts.values() for block in blocks}
        lacking = {bridge: Longest(blocks.values()) for bridge, blocks in accepts.items()}
        return lacking, Longest(prefix for prefix in guards if prefix.text not in accepted)

    def lacks(self, case: Case, placement: Placement) -> Iterator[Lack]:
        """Yield that the table is lacking, or does not accept or guard the address."""
        if self.is_lacking(case):
            yield Lack(OUR_TABLE)
            return
        accepts, guards = case.note(self)
        around = accepts[placement.bridge].around(placement.line.prefix) if placement.bridge in accepts else None
        if around:
            yield Lack(OUR_TABLE, f"our table does not accept {around} on {placement.bridge}")
        unguarded = guards.around(placement.line.prefix)
        if unguarded:
            yield Lack(OUR_TABLE, f"our table does not guard {unguarded}: other guests can use it as well", WEAK)

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield its transaction, and behind the last gate the one that leaves out former mark bits."""
        if case.clears:
            yield from self.removal(case)
            return
        if not case.delta(self).is_empty:
            yield NftPiece(CLASSIFY, case.delta(self).commands, self.all_effects(case))
        if case.former_bits:
            yield settled(Ruleset(case.settings.mark_bit))


def _by_kind(prefixes: Iterable[Prefix]) -> Iterator[tuple[tuple[int, bool], list[str]]]:
    """Yield the texts of these prefixes by family, and by whether they are single addresses."""
    found: dict[tuple[int, bool], list[str]] = {}
    for prefix in prefixes:
        found.setdefault((prefix.family, prefix.is_address), []).append(prefix.text)
    yield from found.items()


CLASSIFYING = Classifying()


def protect(host: Host, known: Collection[tuple[str, bool]], scope: Scope | None = None) -> list[Effect]:
    """Add those of these bridges (True: isolated) that our tables lack, if they are there. Returns what was changed.

    What our tables do not know passes for the outside. So this is the first thing that a run does, and the last: no
    configuration is needed for it, no lock, and no tool. It is done over netlink, which also takes names that nft
    cannot say (``"`` has no escape in its strings). Adding is idempotent and harmless; a table that is not there gets
    all bridges when it is made.

    With a scope, bridges in it that are not known are deleted, if nft cannot say their names: all others are a run's
    own business. ReadError if the kernel refuses.
    """
    known = [(name, is_isolated) for name, is_isolated in known if can_exist(name)]
    wanted = {BRIDGES: {name for name, _ in known}, ISOLATED: {name for name, is_isolated in known if is_isolated}}
    effects: dict[tuple[str, str, str], Effect] = {}
    for family in sorted(host.tables().intersection(TABLES_WITH_BRIDGES)):
        there = host.elements(family, {name: SETS[name] for name in KINDS})
        if there is None:
            continue
        new, gone = {}, {}
        for name, bridges in wanted.items():
            found = {bridge for (bridge,) in there[name]}
            lacking = sorted(bridges - found)
            surplus = sorted(name for name in found - bridges if scope and scope.has(name) and not is_sayable(name))
            new[name], gone[name] = ([encoded(SETS[name], (bridge,)) for bridge in some] for some in (lacking, surplus))
            for sign, some in ((ADD, lacking), (REMOVE, surplus)):
                effects.update(((sign, name, bridge), Effect(sign, KINDS[name], bridge=bridge)) for bridge in some)
        if any((*new.values(), *gone.values())):
            host.change_elements(family, new, gone)
    return [*effects.values()]
