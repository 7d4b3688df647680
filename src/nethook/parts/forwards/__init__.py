"""The tables ``ip nethook`` and ``ip6 nethook``, which lead ports and addresses of this host to guests.

Each is there only while a line of forwarded-ports is about its family. ``ruleset.py`` has their rules. Where a line
leads is decided by ``placement/forwarded.py``; ``wanted.py`` makes elements of sets and maps of that, and ``shown.py``
says for people what they mean. Most hosts forward nothing, and their events import none of the three.

A run decides about the lines of its networks. What is in force for others stays: an element is known by its key, so
that it does not matter where it leads. Only a table that is made anew gets them as libvirt has told of them.
"""

from __future__ import annotations

from nethook.changes import FORWARD, Step, StepPiece, nft_call
from nethook.host.layout import NAME, Layout
from nethook.parts.part import CREATED, OUR_TABLE, REBUILT, REMOVED, TableDelta, TablePart, settled
from nethook.placement import Lack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.changes import Effect, Piece
    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host import Host
    from nethook.host.nftables import Element, Elements, Table
    from nethook.parts.forwards.wanted import Wants
    from nethook.placement.forwarded import Forwarding


class Forwards(
    TablePart,
    words={
        "forward": "forward {prefix} → {to}",
        "taken": "refused {prefix}",
        "kept": "kept {prefix} with this host",
        "outgoing": "outgoing {to} on {bridge} as {prefix}",
        "hidden": "hidden clients of {prefix}",
        "inside": "bridge {bridge} of guests, for forwards",
        "subnet": "subnet {prefix} of {bridge}",
    },
):
    """The table of one IP family."""

    name = "forward"

    def __init__(self, number: int) -> None:
        """``number`` is the IP family, 4 or 6."""
        self.number = number
        self.family = "ip" if number == 4 else "ip6"

    def read(self, host: Host, question: Question) -> Table | None:
        """Return the table as it is; None if there is none and no line wants one, as on most hosts."""
        is_wanted = any(line.family == self.number for line in question.configuration.forwards)
        if not is_wanted and self.family not in question.tables:
            return None
        from nethook.parts.forwards.ruleset import SETS  # noqa: PLC0415 - see above

        self.sets = SETS[self.number]
        return super().read(host, question)

    def layout(self, case: Case) -> Layout:
        """Return the table for the mark bit of the settings, and for bits of gates that are still open."""
        return layout_of(self.number, case.settings.mark_bit, case.former_bits)

    def want(self, case: Case) -> Wants | None:
        """Want what leads to guests; None where no line is about this family."""
        table: Table | None = case.state(self)
        has_family = self.number in case.question.families
        forwardings = [each for each in case.forwardings if has_family and each.line.family == self.number]
        if not forwardings and not (table and case.configuration.forwards_leave_doubt):
            return None
        from nethook.parts.forwards.wanted import want  # noqa: PLC0415 - most hosts have no such lines

        wants: Wants = want(self.number, forwardings, table, case)
        return wants

    def elements(self, case: Case) -> Elements:
        """Return the elements that are wanted."""
        wants: Wants = case.wanted(self)
        return wants.elements

    def families(self, case: Case) -> set[int]:
        """Return the IP family, if anything is forwarded or stays because of a wrong line."""
        wants: Wants | None = case.wanted(self)
        return {self.number} if wants and (wants.is_about_lines or case.state(self)) else set()

    def decides_about(self, case: Case, name: str, surplus: set[Element]) -> set[Element]:
        """Return the elements of lines and networks of this run, and of keys that no line has any more."""
        wants: Wants = case.wanted(self)
        return wants.deletable(name, surplus, case) if surplus else surplus

    def compare(self, case: Case) -> TableDelta:
        """Return the difference. The table comes with the first line, and goes with the last."""
        table, wants = case.state(self), case.wanted(self)
        if table is None and wants is None:
            return TableDelta(Layout(self.family, {}, {}, {}))
        delta = self.difference(case)
        if wants is None:
            return delta
        if table is None:
            if wants.is_about_lines:
                delta.what = CREATED
            else:
                delta.new = {}
        elif not wants.is_about_lines and not wants.keeps_lines(table.elements, delta.gone):
            delta.gone, delta.new, delta.what = {}, {}, REMOVED
        return delta

    def effects(self, case: Case, sign: str, elements: Elements) -> Iterator[Effect]:
        """Return an effect for each port or address that leads elsewhere: one, although several sets have it."""
        from nethook.parts.forwards.shown import effects  # noqa: PLC0415 - most runs change nothing

        found: Iterator[Effect] = effects(sign, elements, case.wanted(self), self.number)
        return found

    def note(self, case: Case) -> set[str]:
        """Return the keys of the lines that are not all in force."""
        wants: Wants | None = case.wanted(self)
        return wants.keys_of_lines(case.delta(self).new) if wants else set()

    def lacks_of_forward(self, case: Case, forwarding: Forwarding) -> Iterator[Lack]:
        """Yield what the line still lacks, before the changes of the case are made."""
        line = forwarding.line
        if line.family != self.number:
            return
        if self.is_lacking(case):
            yield Lack(OUR_TABLE, f"our nftables table {self.family} {NAME} is missing or has no rules")
        elif line.key in case.note(self):
            yield Lack(OUR_TABLE, "our table does not forward it")

    def ended(self, case: Case) -> Iterable[str]:
        """Return the connections to former places, and UDP flows that the host has answered at ports of lines."""
        table, delta = case.state(self), case.delta(self)
        if delta.is_empty:
            return ()
        there: Elements = table.elements if table else {}
        gone = there if delta.what == REMOVED else delta.gone
        if delta.what == REBUILT:
            gone = {name: members - delta.new.get(name, set()) for name, members in there.items()}
        new = {name: members - there.get(name, set()) for name, members in delta.new.items()}
        from nethook.parts.forwards.ended import ended  # noqa: PLC0415 - seldom needed

        own = [each.text for each in case.snapshot.addresses if each.family == self.number]
        limited = {element[1:4] for element in case.wanted(self).elements["from_ports"]} if case.wanted(self) else ()
        return ended(gone, new, own, limited)

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield its transaction: a separate one, so that only forwards fail if this kernel or nft cannot do it."""
        if case.clears:
            yield from self.removal(case)
            return
        delta: TableDelta = case.delta(self)
        if not delta.is_empty:
            yield StepPiece(FORWARD, Step(nft_call(delta.commands), self.all_effects(case), ends_run=True))
        if case.former_bits and case.wanted(self) and delta.what != REMOVED:
            yield settled(layout_of(self.number, case.settings.mark_bit))


def layout_of(number: int, mark_bit: int, former: Sequence[int] = ()) -> Layout:
    """Return the table of this IP family, as ``ruleset.py`` has it."""
    from nethook.parts.forwards.ruleset import layout  # noqa: PLC0415 - most hosts have no such table

    found: Layout = layout(number, mark_bit, former)
    return found


FORWARDS4, FORWARDS6 = Forwards(4), Forwards(6)
