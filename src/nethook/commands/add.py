"""``nethook add``: add a line to routed-ips or forwarded-ports, and apply it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.changes import ADD
from nethook.commands.answering import conversation
from nethook.commands.changing import Change, NoChange, change_file
from nethook.commands.remove import the_line
from nethook.config import load
from nethook.config.files import read_file
from nethook.config.forward_options import FORWARD_OPTIONS
from nethook.config.forwarded_ports import HOST_ITSELF, parse_forwarded_ports
from nethook.config.listening import is_ambiguous
from nethook.config.options import OPTIONS
from nethook.config.routed_ips import parse_routed_ips
from nethook.config.text import excerpt, one_line
from nethook.config.writing import appended, line_of, number_of_lines, typed_word, with_line
from nethook.editing.draft import FORWARDED_PORTS, ROUTED_IPS, Draft
from nethook.editing.finding import has_ports, named_lines, naming
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from nethook.config.text import Entry
    from nethook.editing.draft import Kind
    from nethook.host import Host


def run(options: Namespace) -> int:
    """Add the line of these words, unless the files have it already."""
    # Of two words --, argparse before Python 3.13 takes away both.
    network = options.network or ("--" if options.network == [] else "")
    words = [options.address, network, *options.options]
    kind = _kind_of_line(options)
    _refuse_options_of_forwards(kind, words)
    try:
        line = line_of([typed_word(word) for word in words])
    except ValueError:
        raise NethookError("a word has a line break, so it cannot stand in a line") from None
    return change_file(lambda host: _change(host, kind, line, options), conversation(options))


def _kind_of_line(options: Namespace) -> Kind:
    """Return the kind of file for the line.

    An address whose end may be a port goes where the line is that it replaces, or else to forwarded-ports, which
    refuses it and explains both meanings.
    """
    is_unclear = is_ambiguous(options.address)
    if is_unclear and options.replace:
        forwards = has_ports(options.replace[0])
    else:
        forwards = is_unclear or has_ports(options.address)
    return FORWARDED_PORTS if options.forward or forwards else ROUTED_IPS


def _refuse_options_of_forwards(kind: Kind, words: Sequence[str]) -> None:
    """Raise NethookError for an option of forwarded-ports, or the network ``-``, with an address alone."""
    keys = [word.partition("=")[0] for word in words[2:] if "=" in word]
    found = [f"{key}=" for key in keys if key in FORWARD_OPTIONS and key not in OPTIONS]
    found += [f"the network {HOST_ITSELF}"] * (words[1] == HOST_ITSELF)
    if kind is ROUTED_IPS and found:
        what = f"{found[0]} is for forwarded ports, and {excerpt(one_line(words[0]))} has no ports"
        raise NethookError(f"{what}; add them, or --forward to forward all of the address")


def _change(host: Host, kind: Kind, line: str, options: Namespace) -> Change | NoChange:
    if options.replace:
        return _replacement(host, kind, line, options.replace)
    same = _already_there(host, kind, line)
    if same:
        return _nothing_to_add(line, same)
    path = kind.path(host)
    before = read_file(host, path)
    draft = Draft(path, before, appended(before or b"", [line]))
    number = number_of_lines(draft.after)
    question = f"Write it to {path}, and apply this?"
    is_named = naming(named_lines((kind, source) for source in kind.sources(host)), options.address)
    hint = "; to change a line that is there, run `nethook edit`" if is_named else ""
    return Change(draft, draft, ADD, f"{one_line(line)}, {path}:{number}", question, number, hint)


def _replacement(host: Host, kind: Kind, line: str, replaced: Sequence[str]) -> Change | NoChange:
    """Return the change that puts the line where the line with the words ``replaced`` is."""
    found = the_line(host, [kind], replaced[0], replaced[1:])
    if isinstance(found, NoChange):
        return found._replace(status=max(found.status, DIFFERENT))
    path, number = found.line.file, found.line.number
    same = _already_there(host, kind, line)
    if same and (same.place.file, same.place.line) == (path, number):
        return _nothing_to_add(line, same)
    draft = Draft(path, found.data, with_line(found.data, number, line))
    text, old = f"{one_line(line)}, {path}:{number}", f"{one_line(found.line.text.strip())}, {path}:{number}"
    return Change(draft, draft, ADD, text, f"Write it to {path}, and apply this?", number, replaced=old)


def _nothing_to_add(line: str, same: Entry) -> NoChange:
    return NoChange(OK, f"already there: {one_line(line)}, {same.place.file}:{same.place.line}", is_there=True)


def _already_there(host: Host, kind: Kind, line: str) -> Entry | None:
    """Return the line of the files that says the same as this one."""
    data = line.encode("utf-8", "surrogateescape")
    configuration = load(host)
    new: Sequence[Entry]
    there: Sequence[Entry]
    if kind is ROUTED_IPS:
        new, there = parse_routed_ips([("", data)])[0], configuration.routed_ips
    else:
        new, there = parse_forwarded_ports([("", data)])[0], configuration.forwards
    meant = [_meaning(each) for each in new]
    return next((each for each in there if [_meaning(each)] == meant), None)


def _meaning(line: Entry) -> tuple[object, ...]:
    return line.key, line.network, line.is_hosts, line.options
