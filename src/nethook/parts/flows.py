"""Connections to where something was before: deleting them, and remembering which are still to be deleted.

A line of text describes them, as ``host/conntrack.py`` reads it: a prefix that moved to another guest, or what a part
says of its own.

What makes it hard, and how each point is met:

- A run that changes where an address is may fail, or be killed, before it has deleted the connections from before. The
  next run finds nothing changed and would not know. So the line is noted first, and forgotten when its connections are
  deleted.
- The kernel goes through its whole table for that, which may take a second. So it is done without the lock. Each run
  has a file of its own for its notes, which it makes and removes as a whole: what another run notes with the same line
  meanwhile stays.
"""

from __future__ import annotations

from nethook.changes import FLOWS as STAGE
from nethook.changes import REMOVE, Effect, Step, StepPiece
from nethook.errors import ReadError
from nethook.host.layout import set_name
from nethook.host.process import Call
from nethook.parts import binding
from nethook.parts.binding import BINDING
from nethook.parts.classifying import CLASSIFYING, TO
from nethook.parts.part import Part
from nethook.prefix import Ordered, parse_prefix, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.changes import Piece
    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host import Host
    from nethook.host.nftables import Element, Elements
    from nethook.prefix import Prefix

FOLDER = "/run/nethook"
START = "owed."
SECONDS = 2.0
"""For deleting connections, however many there are."""


class Owed:
    """Lines that describe connections that must still be deleted, and the files in which they are noted."""

    __slots__ = ("files", "lines")

    def __init__(self, lines: Iterable[str] = (), files: Iterable[str] = ()) -> None:
        self.lines = set(lines)
        self.files = set(files)

    def joined(self, other: Owed) -> Owed:
        """Return what both have."""
        return Owed(self.lines | other.lines, self.files | other.files)

    def forget(self, host: Host) -> None:
        """Remove the files; OSError if that fails. One that another run has removed is no failure."""
        for path in self.files:
            host.remove(path)


def read(host: Host) -> Owed:
    """Return all that is noted; OSError if it cannot be read. The caller holds the lock."""
    owed = Owed()
    for name in host.names(FOLDER):
        if name.startswith(START) and not name.endswith(".new"):
            path = f"{FOLDER}/{name}"
            owed.files.add(path)
            owed.lines.update(host.recorded(path).splitlines())
    if owed.lines:
        from nethook.host.conntrack import is_description  # noqa: PLC0415 - seldom needed

        # Anything else would be tried and logged at each event.
        owed.lines = set(filter(is_description, owed.lines))
    return owed


def note(host: Host, lines: Iterable[str]) -> Owed:
    """Note these lines; OSError if that fails."""
    path = host.new_path(f"{FOLDER}/{START}")
    host.record(path, "".join(f"{line}\n" for line in sorted(lines)))
    return Owed(lines, [path])


class Flows(Part, words={"flows": "connections of {prefix} to its former place"}):
    """Connections of addresses that moved."""

    name = "flows"

    def read(self, host: Host, question: Question) -> Owed:
        """Return what earlier runs have noted: connections that must still be deleted."""
        del question
        try:
            return read(host)
        except OSError as error:
            raise ReadError(f"cannot read {error.filename}: {error.strerror}") from None

    def want(self, case: Case) -> None:
        """Want nothing by itself: what moved, the changes of our tables tell (``compare``)."""
        del case

    def want_nothing(self) -> None:
        """Want nothing."""

    def compare(self, case: Case) -> set[str]:
        """Return what other parts end, the prefixes that are not at the same place or guest, and all that is owed."""
        if case.clears:
            return set()
        delta = case.delta(CLASSIFYING)
        gone = _delivered_to(delta.gone)
        new = _delivered_to(delta.new) if gone else ()
        moved = {block for block, _ in gone} & {block for block, _ in new}
        binds, owed = case.delta(BINDING), case.state(self)
        return {*moved, *handed_on(binds.gone, binds.new), *case.ended, *owed.lines}

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield one step for all of them."""
        lines = case.delta(self)
        if lines:
            yield StepPiece(STAGE, FlowStep(lines, case.state(self)))


def _delivered_to(elements: Elements) -> set[tuple[str, str]]:
    """Return block and bridge of each of these elements that packets are delivered to."""
    names = (name for name in elements if CLASSIFYING.sets[name].role == TO)
    return {(block, bridge) for name in names for bridge, block in elements[name]}


def handed_on(gone: Elements, new: Elements) -> set[str]:
    """Return the blocks that do not belong to the NIC any more that they belonged to.

    ``gone`` and ``new`` are elements of our table for binding, by set.
    """
    blocks: set[str] = set()
    for family in binding.KINDS:
        for single in (True, False):
            name = set_name("holders", family, single=single)
            blocks.update(_given_up(gone.get(name, ()), new.get(name, ())))
        prefixes = new.get(set_name("bound", family, single=False), ())
        bound_since = Ordered(parse_prefix(text) for (text,) in prefixes)
        apart = new.get(set_name("apart", family, single=True), ())
        blocks.update(text for (text,) in apart if not bound_since.around(parse_prefix(text)))
    return blocks


def _given_up(gone: Iterable[Element], new: Iterable[Element]) -> Iterator[str]:
    """Yield the parts of (MAC, block) pairs that go and do not stay with this MAC in blocks that are cut otherwise."""
    again: dict[str, list[Prefix]] = {}
    for mac, text in new:
        again.setdefault(mac, []).append(parse_prefix(text))
    kept = {mac: Ordered(blocks) for mac, blocks in again.items()}
    for mac, text in gone:
        block, of_mac = parse_prefix(text), kept.get(mac)
        if of_mac is None:
            yield text
        elif not of_mac.around(block):
            yield from (rest.text for rest in without(block, of_mac.within(block)))


class FlowStep(Step):
    """Connections are deleted, so that none goes on to where its address or port was before.

    ``note`` comes before everything else: whatever happens until then, the next run knows what must be deleted.
    """

    def __init__(self, lines: Iterable[str], noted: Owed) -> None:
        """Delete the connections that these lines describe; ``noted`` has those of the lines that are noted already."""
        self._lines = sorted(lines)
        self._noted = noted
        super().__init__(
            Call(("#", "delete connections:", self._lines[0])),
            [Effect(REMOVE, "flows", prefix=_subject(line)) for line in self._lines],
        )

    @property
    def calls(self) -> list[Call]:
        """A comment for each line, because no program does this."""
        return [Call((*self.call.argv[:-1], line)) for line in self._lines]

    def joined(self, other: FlowStep | None) -> FlowStep:
        """Return one step for both."""
        return FlowStep({*self._lines, *other._lines}, self._noted.joined(other._noted)) if other else self

    def note(self, host: Host) -> list[str]:
        """Note what is not noted yet; the caller holds the lock. Returns a sentence for each failure."""
        new = set(self._lines) - self._noted.lines
        try:
            if new:
                self._noted = self._noted.joined(note(host, new))
        except OSError as error:
            return [f"cannot note in {FOLDER} which connections must be deleted: {error.strerror}"]
        return []

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Delete them. Without such connections it is no failure, and nothing was done then."""
        deleted = host.delete_connections(self._lines, SECONDS)
        failures = [deleted.failure] if deleted.failure else []
        if deleted.left:
            failures.append("connections from before may go on until the next run deletes them")
        try:
            if len(deleted.left) < len(self._lines):
                rest = note(host, deleted.left) if deleted.left else None
                self._noted.forget(host)
                self._noted = rest or self._noted
        except OSError as error:
            failures.append(f"cannot note in {FOLDER} that connections have been deleted: {error.strerror}")
        done = (effect for line, effect in zip(self._lines, self.effects) if deleted.counts[line])
        return [*{str(effect): effect for effect in done}.values()], failures


def _subject(line: str) -> str:
    """Return what a line is about, for people: the prefix that moved, or the address and ports of a forward."""
    if "=" not in line:
        return line
    words = dict(word.split("=", 1) for word in line.split())
    address = words.get("to") or words.get("left_as", "")
    ports, protocol = words.get("ports", ""), words.get("protocol", "")
    if ports:
        address = f"[{address}]:" if ":" in address else f"{address}:" if address else "port "
    return f"{address}{ports}/{protocol}" if protocol else address


FLOWS = Flows()
