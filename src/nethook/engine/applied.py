"""The note about what is in force: a copy of the lines that were applied, and a fingerprint of the files that had them.

The service heals by it, whatever the files say since. ``status`` tells by it that the files have changed. A run about
everything writes it anew. A run about some networks, such as that of an event, replaces their lines. After a boot there
is no note. `nethook clear` leaves one without lines, to which events add theirs.

A wrong line leaves what is in force for its prefix. So the right line that was there before stays in the copy, and the
prefix is noted as one in doubt.
"""

from __future__ import annotations

from binascii import crc32

from nethook.config import RoutedIP, assemble
from nethook.config.text import Place, Problem
from nethook.engine.run import APPLIED, CLEARED
from nethook.errors import ReadError
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from nethook.config import Configuration, Settings
    from nethook.config.text import Entry
    from nethook.host import Host

    Kept = tuple[str, str, str, str, str, str, str]
    """A line: LINE or FORWARD, what tells it from others of its kind, prefix, network, file, number, text.

    Or what wrong and hidden lines are about: IN_DOUBT, '', the prefix ('' for any), LINE or FORWARD.
    """

FILES_DIFFER = "the files have changed since they were applied; `nethook plan` shows what `nethook apply` would change"
NOT_NOTED = f"cannot record in {APPLIED} which lines are in force"
OF_SERVICE = frozenset({"auto_apply", "metrics_file"})
"""Settings of the service itself: nothing is in force by them."""
OF_FILES = frozenset({"routed_ips", "forwarded_ports"})
"""Settings by which lines are found: the note has the lines."""
LINE, FORWARD = "routed-ips", "forwarded-ports"
IN_DOUBT = "doubt"
END = "end"
"""The last field. A text without it is no note."""
EXACT = "exact"
NUL, NOT_NUL = "\0", "\ufffd"
"""The end of a field, which a line may have in a comment, and what stands for it in the note."""
HEADER, FIELDS = 4, 7
"""How many fields come first, and how many each line has. The last of the first is the stamp of the files."""


class Applied:
    """A note. ``files`` is the fingerprint of the files, or CLEARED; ``settings`` that of their settings.

    Of the files, it has every line; if not ``is_exact``, lines of older or newer files as well, or instead.
    """

    __slots__ = ("_fields", "_stamp", "files", "is_exact", "settings", "text")

    def __init__(self, text: str, fields: list[str]) -> None:
        """Make a note of the text of the file, which consists of these fields, each with a zero byte behind it."""
        self.text = text
        self.files, self.settings, exact, self._stamp = fields[:HEADER]
        self.is_exact = exact == EXACT
        self._fields = fields

    @property
    def lines(self) -> dict[tuple[str, str], Kept]:
        """The lines in force, by their first two fields."""
        return {line[:2]: line for line in self._entries if line[0] != IN_DOUBT}

    @property
    def _entries(self) -> Iterator[Kept]:
        rest = iter(self._fields[HEADER:-1])
        return zip(*[rest] * FIELDS)

    def fits(self, fingerprint: str) -> bool:
        """Return whether exactly the lines of the files with this fingerprint are in force."""
        return self.is_exact and self.files == fingerprint

    def says_what(self, lines: Iterable[Kept], doubts: Iterable[Kept]) -> bool:
        """Return whether it has these lines, wherever they are in the files, and these doubts."""
        return {(*line[:4], line[6]) for line in self._entries} == {(*line[:4], line[6]) for line in (*lines, *doubts)}

    def configuration(self, read: Configuration) -> Configuration:
        """Return the lines of the note as a configuration, with settings and files of the one that was ``read``."""
        sources: dict[tuple[str, str], list[dict[int, str]]] = {}
        lines = self.lines
        # Reading a line again takes longer than anything else here. Forwards are judged by all lines beside them.
        has_forwards = any(kind == FORWARD for kind, _ in lines)
        same = {} if has_forwards else {(line.key, line.source.text): line for line in read.routed_ips}
        known = []
        for kind, key, _, _, file, number, text in lines.values():
            if (key, text) in same:
                known.append(same[key, text])
                continue
            parts = sources.setdefault((kind, file), [{}])
            if int(number) in parts[-1]:  # a line of an older state of this file
                parts.append({})
            parts[-1][int(number)] = text
        of = {
            kind: [(file, part) for (each, file), parts in sources.items() if each == kind for part in parts]
            for kind in (LINE, FORWARD)
        }
        found = assemble(read.settings, of[LINE], of[FORWARD], files=read.files)
        if known:
            found = found.replaced(routed_ips=[*known, *found.routed_ips])
        return found.doubting(self._problems(LINE), self._problems(FORWARD))

    def _problems(self, of_kind: str) -> list[Problem]:
        what = "this line was wrong, or its file is not read"
        return [
            Problem(Place(APPLIED), what, "run nethook apply", prefix=parse_prefix(prefix) if prefix else None)
            for what_it_is, _, prefix, kind, *_ in self._entries
            if what_it_is == IN_DOUBT and kind == of_kind
        ]

    def with_networks(self, names: Collection[str], new: dict[tuple[str, str], Kept], read: Configuration) -> str:
        """Return the text of the note after a run about these networks, which have these lines in what was read.

        A line that another network has now, or one that nobody knows, stays as it was until that network comes.
        """
        lines = self.lines
        of_others = {_key(line) for line in read.lines if _network(line) not in names}
        stay = {
            key: line
            for key, line in lines.items()
            if key not in new and (line[3] not in names or key in of_others or _in_doubt(line, read))
        }
        decided = {(line[0], line[2]) for key, line in lines.items() if line[3] in names and key not in stay}
        doubts = [line for line in self._entries if line[0] == IN_DOUBT]
        left = [line for line in doubts if (line[3], line[2]) not in decided]
        if {**stay, **new} == lines and left == doubts:
            return self.text
        return _text(self.files, self.settings, "", self._stamp, (*new.values(), *stay.values(), *left))


def found(host: Host) -> Applied | None:
    """Return the note; None if there is none. ReadError if it cannot be read: then nobody knows what is in force."""
    try:
        return _parse(host.recorded(APPLIED))
    except OSError as error:
        raise ReadError(f"{APPLIED}: cannot be read: {error.strerror}") from None


def read(host: Host) -> Applied | None:
    """Return the note; None if there is none, or if it cannot be read."""
    try:
        return found(host)
    except ReadError:
        return None


def note(
    configuration: Configuration,
    host: Host,
    names: Collection[str] = (),
    mistakes: Collection[Entry] = (),
) -> bool:
    """Note that this configuration is applied, to the networks with these names, or to all if there are none.

    ``mistakes`` are lines that libvirt does not fit: they leave what was in force before. Return False if nothing can
    be noted. The caller holds the lock. Before everything was applied once, or cleared, nothing is noted for single
    networks. What was noted before a run about everything is wrong after it: better no note, with which files count.
    """
    _, is_noted = _note(configuration, host, names, mistakes)
    if not (is_noted or names):
        _forget(host)
    return is_noted


def after_event(configuration: Configuration, host: Host, name: str) -> tuple[Configuration, bool]:
    """Note the lines of the network with this name. Return all lines in force from now on, and False if not noted.

    Lines of other networks are as they were applied: else a file that waits would withdraw, at any event, what the
    service then heals. Where nothing is noted, the lines are those that were read.
    """
    noted, is_noted = _note(configuration, host, [name])
    return (noted.configuration(configuration) if noted else configuration), is_noted


def beside(configuration: Configuration, host: Host, names: Collection[str]) -> Configuration:
    """Return the lines of a run about these networks: theirs, and those of others as they were applied."""
    noted = read(host)
    if not noted:
        return configuration
    new = {line[:2]: line for line in _kept(configuration) if line[3] in names}
    after = _parse(noted.with_networks(names, new, configuration))
    return after.configuration(configuration) if after else configuration


def _note(
    configuration: Configuration, host: Host, names: Collection[str], mistakes: Collection[Entry] = ()
) -> tuple[Applied | None, bool]:
    """Do what ``note`` does. Return the note after a run about some networks, None if the lines are those of the files.

    Also return False if nothing can be noted.
    """
    try:
        before = host.recorded(APPLIED)
    except OSError:
        return None, False
    if names and configuration.stamp and before.split("\0", HEADER)[2:HEADER] == [EXACT, configuration.stamp]:
        return None, True  # as at most events
    noted = _parse(before)
    if names and not noted:
        return None, True
    old = noted.lines if noted else {}
    new = {line[:2]: line for line in _kept(configuration) if not names or line[3] in names}
    wrong = {_key(line) for line in mistakes} & old.keys()
    new.update({key: old[key] for key in wrong & new.keys()})
    if names and noted:
        text = noted.with_networks(names, new, configuration)
        if _has_all_of(text, configuration):
            text = _of_files(configuration, _kept(configuration), EXACT)
    else:
        stay = [line for key, line in old.items() if key not in new and _in_doubt(line, configuration)]
        text = _of_files(configuration, (*new.values(), *stay), EXACT if not stay and not wrong else "")
    after = _parse(text) if names else None
    try:
        if text != before:
            host.record(APPLIED, text)
    except OSError:
        return after, False
    return after, True


def _forget(host: Host) -> None:
    try:
        host.remove(APPLIED)
    except OSError:  # then not even that is possible
        return


def _of_files(configuration: Configuration, lines: Iterable[Kept], exact: str) -> str:
    """Return the text of a note of these files, with these lines."""
    values = fingerprint(configuration), _settings(configuration.settings), exact, configuration.stamp
    return _text(*values, (*lines, *_doubts(configuration)))


def _has_all_of(text: str, configuration: Configuration) -> bool:
    """Return whether this is a note of what the files say, and only of that: nothing waits any more."""
    noted = _parse(text)
    if not noted or noted.files == CLEARED or has_other_settings(noted, configuration):
        return False
    return noted.says_what(_kept(configuration), _doubts(configuration))


def forget_clear(host: Host) -> None:
    """Forget that everything was removed, so that the service applies the files when it starts."""
    noted = read(host)
    if noted and noted.files == CLEARED:
        host.remove(APPLIED)


def has_other_settings(noted: Applied, configuration: Configuration) -> bool:
    """Return whether settings have changed by which something is in force."""
    return noted.settings not in {"", _settings(configuration.settings)}


def fingerprint(configuration: Configuration) -> str:
    """Return a text that differs if lines, mistakes or settings do; comments and the order do not matter."""
    lines = sorted(map(signature, configuration.lines))
    mistakes = sorted((str(problem.prefix), problem.what) for problem in configuration.problems)
    return _print((_values(configuration.settings), lines, mistakes))


def signature(line: Entry) -> tuple[str, ...]:
    """Return what tells a line from all others: two with the same signature say the same."""
    options = (f"{key}={value}" for key, value in sorted(line.options.items()))
    return type(line).__name__, line.key, line.network, str(line.is_hosts), *options


def _parse(text: str) -> Applied | None:
    fields = text.split("\0")
    fields.pop()
    if fields[-1:] != [END] or (len(fields) - HEADER - 1) % FIELDS:
        return None
    return Applied(text, fields)


def _text(files: str, settings: str, exact: str, stamp: str, entries: Iterable[Kept]) -> str:
    fields = (files, settings, exact, stamp, *(field for entry in entries for field in entry), END)
    return "".join(f"{field.replace(NUL, NOT_NUL)}\0" for field in fields)


def _doubts(configuration: Configuration) -> Iterator[Kept]:
    for kind, prefixes in ((LINE, configuration.doubts), (FORWARD, configuration.doubts_of_forwards)):
        texts = sorted(prefix.text if prefix else "" for prefix in prefixes)
        yield from ((IN_DOUBT, "", text, kind, "", "", "") for text in texts)


def _kept(configuration: Configuration) -> Iterator[Kept]:
    for line in configuration.lines:
        source = line.source
        yield *_key(line), line.prefix.text, _network(line), source.file, str(source.number), source.text


def _network(line: Entry) -> str:
    return "" if line.is_hosts else line.network


def _key(line: Entry) -> tuple[str, str]:
    return LINE if isinstance(line, RoutedIP) else FORWARD, line.key


def _in_doubt(line: Kept, configuration: Configuration) -> bool:
    prefix = line[2]
    return configuration.in_doubt(parse_prefix(prefix)) if line[0] == LINE else configuration.forwards_in_doubt(prefix)


def _values(settings: Settings, without: Collection[str] = OF_SERVICE) -> list[tuple[str, Any]]:
    return [(name, getattr(settings, name)) for name in settings.VALUES if name not in without]


def _settings(settings: Settings) -> str:
    return _print(_values(settings, OF_SERVICE | OF_FILES))


def _print(value: object) -> str:
    return f"{crc32(repr(value).encode(errors='surrogateescape')):08x}"
