"""``nethook edit``: have a person edit a file, and do not leave a wrong one behind without asking."""

from __future__ import annotations

import sys
from difflib import unified_diff
from typing import TYPE_CHECKING

from nethook.commands.changing import finish, look_ahead
from nethook.commands.check import examine
from nethook.config import load
from nethook.config.files import read_file
from nethook.config.text import one_line
from nethook.doctor.host_problems import merged
from nethook.editing.draft import KINDS, Draft, FileChangedError
from nethook.engine.situation import limited_host, require_root
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.terminal import can_ask, choose, show_problems

if TYPE_CHECKING:
    from argparse import Namespace

    from nethook.config import Configuration

AGAIN, KEEP, DISCARD, APPLY = "e", "k", "d", "a"
IF_WRONG = {AGAIN: "edit again", KEEP: "keep it all the same", DISCARD: "discard your changes"}
IF_RIGHT = {APPLY: "apply", KEEP: "keep it, and do not apply it yet", AGAIN: "edit again", DISCARD: IF_WRONG[DISCARD]}
IF_CHANGED = {AGAIN: "edit again", KEEP: "overwrite the changes of others", DISCARD: IF_WRONG[DISCARD]}


def run(options: Namespace) -> int:
    """Have the file edited that is read, or would be."""
    require_root("change the files")
    kind = KINDS[options.file]
    path = kind.path(limited_host())
    before = read_file(limited_host(), path)
    load(limited_host())  # what is wrong elsewhere is better said before somebody has worked
    return _Editing(path, before, options).run(kind.name)


class _Editing:
    """The editing of one file. ``_before`` is its content as the person knows it."""

    def __init__(self, path: str, before: bytes | None, options: Namespace) -> None:
        self._path = path
        self._before = before
        self._options = options

    def run(self, name: str) -> int:
        """Have a copy of this name edited until it is written or discarded. Return the exit status."""
        first = text = self._before or b""
        while True:
            try:
                text = limited_host().edited(name, text)
            except (NethookError, OSError) as error:
                if text == first:
                    raise
                answer = _after_failure(error)
            else:
                if text == first:
                    print(f"nethook: {self._path} was not changed", file=sys.stderr)
                    return OK
                answer = self._judge(Draft(self._path, self._before, text))
            if answer in {KEEP, APPLY}:
                answer = self._write(text, answer)
            if answer == DISCARD:
                print("nethook: your changes were discarded; the file is as it was", file=sys.stderr)
                return DIFFERENT
            if answer != AGAIN:
                return finish(self._path, applies=answer == APPLY)

    def _judge(self, draft: Draft) -> str:
        """Show what is wrong with the draft, or what it leads to. Return what to do."""
        try:
            configuration = draft.configuration(limited_host())
            if self._show_mistakes(configuration):
                return choose("What now?", IF_WRONG)
            if self._options.no_apply:
                return KEEP
            look_ahead(configuration, shows=not self._options.yes)
        except NethookError as error:
            return _after_failure(error)
        if self._options.yes:
            return APPLY
        if not can_ask():
            print("nethook: use --yes to write and apply it without a question", file=sys.stderr)
        return choose("What now?", IF_RIGHT)

    def _show_mistakes(self, configuration: Configuration) -> bool:
        """Show warnings and mistakes, as `nethook check` does. Return whether there are mistakes."""
        found = examine(configuration, limited_host())
        problems = [*configuration.problems, *merged(found.problems)]
        show_problems([*found.warnings, *problems], sys.stderr)
        if found.failure:
            print(f"nethook: {found.failure}", file=sys.stderr)
        return bool(problems)

    def _write(self, text: bytes, answer: str) -> str:
        """Write the text. If others have changed the file meanwhile, show that, and ask. Return what to do next."""
        while answer in {KEEP, APPLY}:
            try:
                Draft(self._path, self._before, text).write(limited_host())
            except FileChangedError as error:
                print(f"nethook: {self._path} was changed meanwhile by somebody else:", file=sys.stderr)
                _show_difference(self._before or b"", error.now or b"")
                self._before = error.now
                answer = choose("What now?", IF_CHANGED)
            except NethookError as error:
                answer = _after_failure(error)
            else:
                break
        return answer


def _after_failure(error: NethookError | OSError) -> str:
    """Print the error, and return what to do: what the person has written must not be lost."""
    print(f"nethook: {one_line(str(error))}", file=sys.stderr)
    return choose("What now?", IF_WRONG)


def _show_difference(before: bytes, now: bytes) -> None:
    old, new = (data.decode("utf-8", "replace").split("\n") for data in (before, now))
    for line in list(unified_diff(old, new, lineterm="", n=1))[2:]:
        print(f"    {one_line(line)}", file=sys.stderr)
