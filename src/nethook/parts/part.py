"""A part: one kind of thing of ours in the kernel, such as our routes.

To add a part, write a file with a class that derives from ``Part`` (or ``Objects``, for what ``ip`` makes, or
``TablePart``, for one of our nftables tables), and put an instance into the registry in ``parts/__init__.py``, at the
place where its objects are made. The engine does the rest: it reads all parts side by side, compares, and puts the
changes in the order of their stages. ``nethook clear`` wants nothing of any part.
"""

from __future__ import annotations

from nethook.changes import ADD, LAST, PLACE, PLACE_BOUND, REMOVE, SETTLE, WITHDRAW, WORDS, Effect, IpPiece, NftPiece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
    from typing import Any

    from nethook.changes import Piece
    from nethook.config.text import Entry
    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host import Host
    from nethook.host.layout import Layout, SetType
    from nethook.host.nftables import Element, Elements, Table
    from nethook.placement import Lack, Placement
    from nethook.placement.forwarded import Forwarding

NO_DEVICE = "Cannot find device "


class Part:
    """One kind of thing of ours in the kernel."""

    name = ""
    """The word for it in effects, and in JSON."""

    def __init_subclass__(cls, words: Mapping[str, str] | None = None) -> None:
        """Enter the text of each kind of effect, with places for ``{prefix}``, ``{bridge}`` and ``{to}``."""
        WORDS.update(words or {})

    def read(self, host: Host, question: Question) -> Any:
        """Return the state of this part in the kernel; ReadError if it cannot be known."""
        raise NotImplementedError

    def want(self, case: Case) -> Any:
        """Return what there should be. Pure."""
        raise NotImplementedError

    def want_nothing(self) -> Any:
        """Return the same when nothing of ours should be in the kernel."""
        raise NotImplementedError

    def compare(self, case: Case) -> Any:
        """Return the difference between what is wanted and the state, within the scope of the run. Pure."""
        raise NotImplementedError

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield the changes that make the difference disappear, each with its stage. Pure."""
        raise NotImplementedError

    def note(self, case: Case) -> Any:
        """Return what ``lacks`` looks things up in, so that it takes a moment for each line."""
        del case

    def lacks(self, case: Case, placement: Placement) -> Iterator[Lack]:
        """Yield what the line still lacks of this part, before the changes of the case are made."""
        del case, placement
        yield from ()

    def lacks_of_forward(self, case: Case, forwarding: Forwarding) -> Iterator[Lack]:
        """Yield the same for a line of forwarded-ports."""
        del case, forwarding
        yield from ()

    def ended(self, case: Case) -> Iterable[str]:
        """Return what describes the connections (``host/conntrack.py``) that its changes leave without a place."""
        del case
        return ()

    def families(self, case: Case) -> set[int]:
        """Return the IP families (4, 6) for which it needs the gates in firewalls of others."""
        del case
        return set()


class Key(tuple[str, ...]):
    """One object of a part: its address or prefix, its device, and what else tells it from others.

    By the device, a run knows whether it decides about the object. '' stands for what does not depend on a network:
    every run decides about that.
    """

    __slots__ = ()

    @property
    def prefix(self) -> str:
        """The address or prefix that the object is about."""
        return self[0]

    @property
    def device(self) -> str:
        """The device that the object is on, or ''."""
        return self[1]


class Wanted:
    """Objects that should be there, each with the line that wants it, and objects that stay although no line does.

    ``displaced`` are objects that go because their address has another place now, also on bridges of other networks.
    """

    __slots__ = ("displaced", "keys", "stay")

    def __init__(
        self, keys: Mapping[Any, Entry], stay: Set[Any] = frozenset(), displaced: Set[Any] = frozenset()
    ) -> None:
        self.keys = keys
        self.stay = stay
        self.displaced = displaced


class Delta:
    """Objects that go and objects that come, in the order in which that happens.

    An object that changes is in both, with its old key in ``gone`` and its new key in ``new``.
    """

    __slots__ = ("gone", "new")

    def __init__(self, gone: Sequence[Any] = (), new: Sequence[Any] = ()) -> None:
        self.gone = gone
        self.new = new


class Objects(Part):
    """A part whose objects ``ip`` makes and deletes. They carry our number, and by that are known as ours."""

    already_gone: tuple[str, ...] = (NO_DEVICE,)
    """Beginnings of kernel messages that mean "already deleted", for example with its device."""
    waits_for_binding = False
    """An object of a bound line must not come before its address is kept to its guest."""

    def add(self, key: Any, protocol: int) -> str:
        """Return the line for ``ip -batch`` that adds it."""
        raise NotImplementedError

    def delete(self, key: Any, protocol: int) -> str:
        """Return the line for ``ip -batch`` that deletes it, if it is ours."""
        raise NotImplementedError

    def leads_to(self, key: Any) -> str:
        """Return what an effect says that the object leads to: its next hop, NIC or uplink; '' if it has none."""
        return "".join(key[2:])

    def family_option(self, key: Any) -> str:
        """Return the option that tells ip the address family; '' where it sees that from the line."""
        del key
        return ""

    def added(self, keys: Sequence[Any], host: Host) -> None:
        """Do what must be done once these have been added."""
        del keys, host

    def why_not_added(self, key: Any, said: str, host: Host) -> str:
        """Return why the kernel, which said this, refused to add it; '' if all is well without it.

        Without its device, it is: the network stopped just now, and an event will tell.
        """
        if said.startswith(NO_DEVICE):
            return ""
        _, device, *_ = key
        if device and said.endswith("is not up"):
            from nethook.shell import word  # noqa: PLC0415 - seldom needed

            return f"{device} is down: run `ip link set {word(device)} up`, then `nethook apply`"
        is_ipv6 = ":" in key[0] and 6 in host.families()
        if device and is_ipv6 and host.number_of(device) and not host.has_ipv6(device):
            return (
                f"{device} has no IPv6, because its MTU is below 1280 bytes: set a larger one, then run `nethook apply`"
            )
        return said

    def want_nothing(self) -> Wanted:
        """Return that no object is wanted."""
        return Wanted({})

    def compare(self, case: Case) -> Delta:
        """Return the objects that are there and not wanted, and those that are wanted and not there."""
        there, wanted = case.state(self), case.wanted(self)
        surplus = there - wanted.keys.keys() - wanted.stay
        gone = sorted(key for key in surplus if key in wanted.displaced or case.decides_about(key))
        return Delta(gone, [key for key in wanted.keys if key not in there])

    def effect(self, sign: str, key: Any, line: Entry | None = None) -> Effect:
        """Return what it means that this object is added or deleted."""
        return Effect(sign, self.name, prefix=key[0], bridge=key[1], to=self.leads_to(key), line=line)

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield the deletions and additions. An object that changes is deleted right before it is added."""
        delta, lines = case.delta(self), case.wanted(self).keys
        changed = {key[0] for key in delta.new}
        bound: set[str] = set()
        if self.waits_for_binding and case.binds:
            bound = {key[0] for key in delta.new if lines[key].guest}
        for key in delta.gone:
            stage = WITHDRAW if key[0] not in changed else PLACE_BOUND if key[0] in bound else PLACE
            yield IpPiece(stage, self, key, self.delete(key, case.protocol), self.effect(REMOVE, key))
        for key in delta.new:
            stage = PLACE_BOUND if key[0] in bound else PLACE
            yield IpPiece(stage, self, key, self.add(key, case.protocol), self.effect(ADD, key, lines.get(key)))


def settled(layout: Layout) -> NftPiece:
    """Return the piece that leaves former mark bits out of a table, once the gates for them are closed."""
    return NftPiece(
        SETTLE, layout.creation(), [Effect(REMOVE, "rule", note=f"for the former mark bit in {layout.table}")]
    )


OUR_TABLE = "our table"
"""The station of doctor at which it looks at our tables."""
CREATED, RENEWED, REBUILT, REMOVED = "created", "renewed", "rebuilt", "removed"


class TableDelta:
    """Elements that go and come, by set; ``what`` happens to the table itself.

    That is '' (nothing), CREATED, RENEWED (its elements stay), REBUILT (all its elements are new), or REMOVED.
    """

    __slots__ = ("gone", "layout", "new", "what")

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.what = ""
        self.gone: Elements = {}
        self.new: Elements = {}

    @property
    def is_empty(self) -> bool:
        """True if nothing changes."""
        return not (self.what or any(self.gone.values()) or any(self.new.values()))

    @property
    def commands(self) -> list[str]:
        """The nft commands that make it so."""
        commands = [f"delete table {self.layout.table}"] if self.what in {REBUILT, REMOVED} else []
        if self.what and self.what != REMOVED:
            commands += self.layout.creation()
        return commands + self.layout.deletions(self.gone) + self.layout.additions(self.new)


class TablePart(Part):
    """One of our tables. Its state is a ``Table``, or None where there is none."""

    family = ""
    """nft's word."""
    sets: Mapping[str, SetType] = {}

    def layout(self, case: Case) -> Layout:
        """Return the table as it should be."""
        raise NotImplementedError

    def read(self, host: Host, question: Question) -> Table | None:
        """Return the table as it is; ReadError if that cannot be known."""
        return host.table(self.family, self.sets) if self.family in question.tables else None

    def want_nothing(self) -> Any:
        """Return that there should be no table."""
        return None

    def elements(self, case: Case) -> Elements:
        """Return the elements that are wanted, by set."""
        raise NotImplementedError

    def decides_about(self, case: Case, name: str, surplus: set[Element]) -> set[Element]:
        """Return those of the elements of this set that nobody wants and that this run may delete."""
        raise NotImplementedError

    def effects(self, case: Case, sign: str, elements: Elements) -> Iterator[Effect]:
        """Yield what it means that these elements come or go."""
        raise NotImplementedError

    def difference(self, case: Case) -> TableDelta:
        """Return the difference of elements and rules. In a second attempt, a table with other rules is made anew."""
        table: Table | None = case.state(self)
        delta = TableDelta(self.layout(case))
        if case.wanted(self) is None:
            delta.what = REMOVED if table else ""
            return delta
        wanted = self.elements(case)
        there = table.elements if table else {name: set() for name in wanted}
        for name, elements in wanted.items():
            delta.gone[name] = self.decides_about(case, name, there[name] - elements)
            delta.new[name] = elements - there[name]
        if table and not delta.layout.is_intact(table.comments):
            delta.what = RENEWED
            if case.again:
                delta.what = REBUILT
                delta.new = {name: elements | there[name] - delta.gone[name] for name, elements in wanted.items()}
                delta.gone = {}
        return delta

    def all_effects(self, case: Case) -> list[Effect]:
        """Return what the difference means, for the table and its elements."""
        delta: TableDelta = case.delta(self)
        name = delta.layout.table
        effects = []
        if delta.what:
            note = name if delta.what == REMOVED else f"{name} {delta.what}"
            effects.append(Effect(REMOVE if delta.what == REMOVED else ADD, "table", to=name, note=note))
        effects += self.effects(case, REMOVE, delta.gone)
        effects += self.effects(case, ADD, delta.new)
        return effects

    def is_lacking(self, case: Case) -> bool:
        """Return whether the table is lacking, or has to be made anew."""
        return case.delta(self).what in {CREATED, RENEWED, REBUILT}

    def removal(self, case: Case) -> Iterator[Piece]:
        """Yield the removal of the table when everything of ours goes."""
        if case.delta(self).what:
            yield NftPiece(LAST, case.delta(self).commands, self.all_effects(case))
