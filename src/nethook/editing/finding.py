"""Finding the line that names an address, a prefix, or an address with ports; or else what to write instead of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.listening import PROTOCOLS, parse_listening, with_ports
from nethook.config.text import LineError, Word, read_lines, split_words
from nethook.config.writing import typed_word
from nethook.editing.draft import FORWARDED_PORTS, KINDS, ROUTED_IPS
from nethook.prefix import Prefix, parse_prefix, without

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.config.files import File
    from nethook.config.listening import Ports
    from nethook.config.refusal import Reason
    from nethook.config.text import Line, Problem
    from nethook.editing.draft import Kind

    Listening = tuple[Prefix, Ports, tuple[str, ...]]

MOST_PREFIXES = 8
"""With more prefixes that stay, nobody writes a line for each."""
NAME_A_LINE = "write what the line begins with, such as 203.0.113.10, 2001:db8:7::/64 or 203.0.113.1:80"


class Named:
    """A line that begins with a word; ``data`` is the content of its file."""

    def __init__(self, kind: Kind, data: bytes, line: Line, words: Sequence[str]) -> None:
        self.kind = kind
        self.data = data
        self.line = line
        self.words = words

    @property
    def place(self) -> str:
        """The file and the number of the line."""
        return f"{self.line.file}:{self.line.number}"

    def problem(self, what: str, advice: str) -> Problem:
        """Return a problem of its first word."""
        column = len(self.line.text) - len(self.line.text.lstrip()) + 1
        return self.line.problem(LineError(column, what, advice))


def named_lines(sources: Iterable[tuple[Kind, File]]) -> list[Named]:
    """Return all lines of these files that begin with a word, right or wrong."""
    found = []
    for kind, (file, data) in sources:
        for line in read_lines(file, data):
            words = _words(line.text)
            if words:
                found.append(Named(kind, data, line, words))
    return found


def _words(text: str) -> list[str]:
    try:
        return [word.text for word in split_words(text)]
    except LineError:  # its first word is good enough
        return text.split()[:1]


def has_ports(word: str) -> bool:
    """Return whether the word seems to have ports: what comes before them is an IPv4 address, or in brackets."""
    before, colon, _ = word.partition(":")
    return "]:" in word or (bool(colon) and "." in before)


def naming(lines: Iterable[Named], asked: str, others: Sequence[str] = ()) -> list[Named]:
    """Return the lines that name exactly this, and have these other words of a command line, too.

    If some of them have no more words than these, return only those.
    """
    keys = {kind.name: _key(kind, _text(asked)) for kind in KINDS.values()}
    has_to = {_text(word) for word in others}
    found = [
        each
        for each in lines
        if _key(each.kind, each.words[0]) == keys[each.kind.name] and has_to <= set(each.words[1:])
    ]
    return [each for each in found if has_to == set(each.words[1:])] or found


def _text(word: str) -> str:
    """Return the text of a word of a command line, which may have quotes as in a file."""
    try:
        return split_words(typed_word(word))[0].text
    except (ValueError, LineError):
        return word


def _key(kind: Kind, word: str) -> object:
    """Return what a first word means, however it is spelled; the word itself if that is wrong."""
    return _meaning(kind, word) or word


def _meaning(kind: Kind, word: str) -> object | None:
    """Return what a first word means, None if it is wrong."""
    try:
        if kind is ROUTED_IPS:
            return parse_prefix(word).text
        prefix, ports, protocols = parse_listening(word, {})
    except ValueError:
        return None
    return prefix.text, tuple(sorted(ports)), protocols


def mistake(asked: str) -> Reason | None:
    """Return what is wrong with a word that cannot begin a line of any file, and advice; None if it can."""
    word = _text(asked)
    if any(_meaning(kind, word) for kind in KINDS.values()):
        return None
    from nethook.config.listening_refusal import listening_refusal  # noqa: PLC0415 - only where something is wrong
    from nethook.config.refusal import refusal  # noqa: PLC0415

    if has_ports(word):
        _, error = listening_refusal(Word(1, word, word))
        what, advice = error.what, error.advice
    else:
        what, advice = refusal(word or '""')
    return what, NAME_A_LINE if " line" in advice else advice  # that advice is for whoever writes a line


def near(lines: Sequence[Named], asked: str) -> list[Problem]:
    """Return a problem for each line that has this among other addresses or ports, or a part of it."""
    return [*_near_prefix(lines, asked), *_near_ports(lines, asked)]


def _near_prefix(lines: Sequence[Named], asked: str) -> Iterator[Problem]:
    try:
        wanted = parse_prefix(asked)
    except ValueError:
        return
    for each in lines:
        try:
            prefix = parse_prefix(each.words[0]) if each.kind is ROUTED_IPS else None
        except ValueError:
            continue
        if prefix and wanted.lies_in(prefix):
            rest = without(prefix, [wanted])
            texts = ", ".join(map(str, rest)) if len(rest) <= MOST_PREFIXES else f"what stays of {prefix}"
            yield each.problem(f"{wanted} is in {prefix}", f"run `nethook edit`, and write instead lines for {texts}")
        elif prefix and prefix.lies_in(wanted):
            yield each.problem(f"{prefix} is a part of {wanted}", f"to remove it, run `nethook remove {prefix}`")


def _near_ports(lines: Sequence[Named], asked: str) -> Iterator[Problem]:
    try:
        wanted = parse_listening(asked, {})
    except ValueError:
        return
    for each in lines:
        try:
            here = parse_listening(each.words[0], {}) if each.kind is FORWARDED_PORTS else None
        except ValueError:
            continue
        if here and here[0] == wanted[0]:
            yield from _near_listening(each, here, wanted)


def _near_listening(each: Named, here: Listening, wanted: Listening) -> Iterator[Problem]:
    text, part = listening_text(*here), listening_text(*wanted)
    if not wanted[1]:
        yield each.problem(f"{text} is a part of {part}", f"to remove it, run `nethook remove {text}`")
    elif not here[1]:
        advice = f"to leave the port with the host, run `nethook add {part} -`"
        yield each.problem(f"{part} is in {text}, of which all is forwarded", advice)
    else:
        rest = list(without_ports(here, wanted))
        if rest != [here]:
            lines = " and ".join(listening_text(*some) for some in rest)
            advice = f"run `nethook edit {each.kind.name}`, and write {lines} instead" if rest else "name all of it"
            to = next((word for word in each.words if word.startswith("to=")), "")
            yield each.problem(
                f"{part} has ports of {text}", advice + f"; see to it that {to} fits" * bool(rest and to)
            )


def listening_text(prefix: Prefix, ports: Ports, protocols: Sequence[str]) -> str:
    """Return the first word of a line of forwarded-ports."""
    listed = ",".join(protocols)
    return with_ports(prefix, ports) + (f"/{listed}" if listed not in {"", "tcp"} else "")


def without_ports(here: Listening, gone: Listening) -> Iterator[Listening]:
    """Yield what stays of an address with ports when some are taken out: one, or one for each protocol."""
    prefix, ports, protocols = here
    stay: dict[Ports, list[str]] = {}
    for protocol in protocols:
        rest = tuple(_without_ranges(ports, gone[1])) if protocol in gone[2] else ports
        stay.setdefault(rest, []).append(protocol)
    for rest, those in stay.items():
        if rest:
            yield prefix, rest, PROTOCOLS[",".join(those)]


def _without_ranges(ports: Ports, gone: Ports) -> Iterator[tuple[int, int]]:
    for first, last in ports:
        start = first
        for gone_first, gone_last in sorted(gone):
            if gone_last < start or gone_first > last:
                continue
            if start < gone_first:
                yield start, gone_first - 1
            start = gone_last + 1
        if start <= last:
            yield start, last
