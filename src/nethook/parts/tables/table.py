"""A part that is one of our nftables tables: constant rules, and sets whose elements follow the lines."""

from __future__ import annotations

from nethook.parts.part import Part
from nethook.steps.effect import ADD, REMOVE, Effect
from nethook.steps.piece import LAST, NftPiece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host.host import Host
    from nethook.host.keys import Element
    from nethook.host.layout import Layout, SetType
    from nethook.host.nftables import Elements, Table
    from nethook.steps.piece import Piece

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
        del question
        return host.table(self.family, self.sets)

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
