"""Connections of an address that moved to another guest: deleting them, and remembering which are still to be deleted.

What makes it hard, and how each point is met:

- A run that changes where an address is may fail, or be killed, before it has deleted the connections from before. The
  next run finds nothing changed and would not know. So the prefix is noted first, and forgotten when conntrack has
  deleted its connections.
- Each deletion goes through the kernel's whole table, which may take seconds. So it is done without the lock. Each run
  has a file of its own for its notes, which it makes and removes as a whole: what another run notes of the same prefix
  meanwhile stays.

https://conntrack-tools.netfilter.org/
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
from nethook.prefix import Ordered, is_prefix, parse_prefix, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.changes import Piece
    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host import Host
    from nethook.host.nftables import Element, Elements
    from nethook.host.process import Result
    from nethook.prefix import Prefix

TOOL = "conntrack"
NONE_FOUND = "0 flow entries have been deleted"
FOLDER = "/run/nethook"
START = "owed."
AT_ONCE = 8
"""Addresses whose connections are deleted side by side."""
SECONDS = 2.0
"""For deleting connections, however many there are."""


def can_be_deleted(host: Host) -> bool:
    """Return whether there is the tool for it, which not every host has; connections then end when they end."""
    return host.has_program(TOOL)


def deletions(prefix: str) -> list[Call]:
    """Return the calls that delete the connections from this prefix and to it, as their first packets had it."""
    family = "ipv6" if ":" in prefix else "ipv4"
    return [Call((TOOL, "-D", "-f", family, end, prefix)) for end in ("--orig-src", "--orig-dst")]


def has_failed(result: Result) -> bool:
    """Return whether a deletion went wrong; that there were no such connections is right, too."""
    return result.status != 0 and NONE_FOUND not in result.err


class Owed:
    """Prefixes whose connections must still be deleted, and the files in which they are noted."""

    __slots__ = ("files", "prefixes")

    def __init__(self, prefixes: Iterable[str] = (), files: Iterable[str] = ()) -> None:
        self.prefixes = set(prefixes)
        self.files = set(files)

    def joined(self, other: Owed) -> Owed:
        """Return what both have."""
        return Owed(self.prefixes | other.prefixes, self.files | other.files)

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
            # conntrack would refuse anything else, and it would be tried and logged at each event.
            owed.prefixes.update(filter(is_prefix, host.recorded(path).split()))
    return owed


def note(host: Host, prefixes: Iterable[str]) -> Owed:
    """Note these prefixes; OSError if that fails."""
    path = host.new_path(f"{FOLDER}/{START}")
    host.record(path, "".join(f"{prefix}\n" for prefix in sorted(prefixes)))
    return Owed(prefixes, [path])


class Flows(Part, words={"flows": "open connections of {prefix} to where it was before"}):
    """Connections of addresses that moved."""

    name = "flows"

    def read(self, host: Host, question: Question) -> Owed:
        """Return the prefixes that moved in earlier runs and whose connections must still be deleted."""
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
        """Return the prefixes that are not where they were, or not at the same guest, and those that are owed."""
        if case.clears:
            return set()
        delta = case.delta(CLASSIFYING)
        gone = _delivered_to(delta.gone)
        new = _delivered_to(delta.new) if gone else ()
        moved = {block for block, _ in gone} & {block for block, _ in new}
        binds, owed = case.delta(BINDING), case.state(self)
        return {*moved, *handed_on(binds.gone, binds.new), *owed.prefixes}

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield one step for all of them."""
        prefixes = case.delta(self)
        if prefixes:
            yield StepPiece(STAGE, FlowStep(prefixes, case.state(self)))


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
    """Connections of addresses that are at another guest now are deleted, so that none goes on to the old one.

    ``note`` comes before everything else: whatever happens until then, the next run knows what must be deleted.
    """

    def __init__(self, prefixes: Iterable[str], noted: Owed) -> None:
        """``noted`` has those of the prefixes that are noted already."""
        self._prefixes = sorted(prefixes)
        self._noted = noted
        effects = [Effect(REMOVE, "flows", prefix=prefix) for prefix in self._prefixes]
        super().__init__(deletions(self._prefixes[0])[0], effects)

    @property
    def calls(self) -> list[Call]:
        """All that it runs."""
        return [call for prefix in self._prefixes for call in deletions(prefix)]

    def joined(self, other: FlowStep | None) -> FlowStep:
        """Return one step for both."""
        return FlowStep({*self._prefixes, *other._prefixes}, self._noted.joined(other._noted)) if other else self

    def note(self, host: Host) -> list[str]:
        """Note what is not noted yet; the caller holds the lock. Returns a sentence for each failure."""
        new = set(self._prefixes) - self._noted.prefixes
        try:
            if new and can_be_deleted(host):
                self._noted = self._noted.joined(note(host, new))
        except OSError as error:
            return [f"cannot note in {FOLDER} which connections must be deleted: {error.strerror}"]
        return []

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Run them; an address without connections is no failure, and nothing was done then."""
        done, failures, left = self._delete(host) if can_be_deleted(host) else ([], [], [])
        try:
            if len(left) < len(self._prefixes):
                rest = note(host, left) if left else None
                self._noted.forget(host)
                self._noted = rest or self._noted
        except OSError as error:
            failures.append(f"cannot note in {FOLDER} that connections have been deleted: {error.strerror}")
        return done, failures

    def _delete(self, host: Host) -> tuple[list[Effect], list[str], list[str]]:
        """Return what was done, what failed, and the prefixes that are left for the next run."""
        within = host.within(SECONDS)
        done: list[Effect] = []
        failures: list[str] = []
        left: list[str] = []
        for start in range(0, len(self._prefixes), AT_ONCE):
            some = self._prefixes[start : start + AT_ONCE]
            results = within.start([call for prefix in some for call in deletions(prefix)])()
            for number, prefix in enumerate(some):
                of_it = results[number * 2 : number * 2 + 2]
                if any(result.status == 0 for result in of_it):
                    done.append(self.effects[start + number])
                if any(has_failed(result) for result in of_it):
                    left.append(prefix)
            failures += [result.failure for result in results if has_failed(result)]
            if any(result.status is None for result in results):  # then the others would take as long
                left += self._prefixes[start + AT_ONCE :]
                failures.append("connections from before may go on until the next run deletes them")
                break
        return done, failures, left


FLOWS = Flows()
