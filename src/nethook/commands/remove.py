"""``nethook remove``: remove a line from routed-ips or forwarded-ports, and apply that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.changes import REMOVE
from nethook.commands.answering import conversation
from nethook.commands.changing import NOTHING_WRITTEN, Change, NoChange, change_file
from nethook.config import load
from nethook.config.text import one_line
from nethook.config.writing import without_line
from nethook.editing.draft import KINDS, Draft
from nethook.editing.finding import mistake, named_lines, naming, near
from nethook.engine.situation import say_what_is_not_read
from nethook.exit_status import DIFFERENT, OK, UNKNOWN

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Sequence

    from nethook.editing.draft import Kind
    from nethook.editing.finding import Named
    from nethook.host import Host


def run(options: Namespace) -> int:
    """Remove the line that names exactly this address."""
    return change_file(lambda host: _change(host, options), conversation(options))


def _change(host: Host, options: Namespace) -> Change | NoChange:
    found = the_line(host, KINDS.values(), options.address, options.words)
    return found if isinstance(found, NoChange) else _removal(found)


CHOOSE = "add words to the command that only one of the lines has, or run `nethook edit`"


def the_line(host: Host, kinds: Iterable[Kind], asked: str, words: Sequence[str]) -> Named | NoChange:
    """Return the line of these kinds that names exactly this and has these words, or why there is not one alone."""
    lines = named_lines((kind, source) for kind in kinds for source in kind.sources(host))
    found = naming(lines, asked, words)
    if not found:
        say_what_is_not_read(load(host), host)
        return _nothing_found(lines, asked, has_words=bool(words))
    if found[1:]:
        problems = [each.problem(f"this line names {one_line(asked)}, and others do so too", CHOOSE) for each in found]
        return NoChange(DIFFERENT, NOTHING_WRITTEN, problems)
    return found[0]


def _removal(found: Named) -> Change:
    path, number = found.line.file, found.line.number
    draft = Draft(path, found.data, without_line(found.data, number))
    numbered = Draft(path, found.data, without_line(found.data, number, keeps_numbers=True))
    text = f"{one_line(found.line.text.strip())}, {found.place}"
    return Change(draft, numbered, REMOVE, text, f"Remove it from {path}, and apply this?")


def _nothing_found(lines: list[Named], asked: str, *, has_words: bool) -> NoChange:
    """Return what the files have instead of such a line."""
    shown = one_line(asked)
    same = naming(lines, asked) if has_words else []
    problems = [each.problem(f"this line names {shown}, but has other words", CHOOSE) for each in same]
    problems = problems or near(lines, asked)
    if problems:
        return NoChange(DIFFERENT, f"no line names {'' if same else 'exactly '}{shown}; {NOTHING_WRITTEN}", problems)
    wrong = mistake(asked)
    if wrong:
        return NoChange(UNKNOWN, one_line("; ".join(wrong)))
    return NoChange(OK, f"no line names {shown}, so there is nothing to remove")
