"""The answer of `nethook add` and `remove` to programs: one JSON document, whatever has become of the change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nethook.commands.apply import apply_all
from nethook.commands.changing import APPLY_CHANGES_NOTHING, NOTHING_WRITTEN, Conversation, foreseen, only_written
from nethook.commands.plan import ACTIONS, as_json, problem_as_json
from nethook.config.text import LineError, one_line, split_words
from nethook.engine.situation import limited_host
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from nethook.commands.changing import Change, NoChange
    from nethook.commands.check import Examination
    from nethook.config.text import Problem

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""


def conversation(options: Namespace) -> Conversation:
    """Return what tells about a change as the options of the verb want it. NethookError if nobody could answer."""
    if not options.json:
        return Conversation(options)
    if not (options.yes or options.no_apply or options.dry_run):
        raise NethookError("--json asks no question: add --dry-run, --yes or --no-apply")
    return Answer(options)


class Answer(Conversation):
    """The answer, which is printed at its end."""

    def __init__(self, options: Namespace) -> None:
        super().__init__(options)
        self._found: dict[str, Any] = {}

    def nothing(self, why: NoChange) -> int:
        """Print why there is nothing to write. Return the exit status."""
        self._begin((), (), said=one_line(why.said))
        self._add("problems", map(problem_as_json, why.problems))
        return self._end(self._status_of(why))

    def is_right(self, change: Change, found: Examination) -> bool:
        """Take over the new mistakes and warnings. Return whether there are no mistakes."""
        self._begin(_shown(change), (_at_word(change, each) for each in found.warnings), said=found.failure)
        self._add("problems", (_at_word(change, each) for each in found.problems))
        return not found.problems

    def is_accepted(self, change: Change) -> bool:
        """Take over what the change leads to. Return whether to write it."""
        if self._options.no_apply:
            return True
        configuration = change.draft.configuration(limited_host())
        if configuration.problems:
            self._add("problems", map(problem_as_json, configuration.problems))
            self._found["said"] = f"{NOTHING_WRITTEN}, {APPLY_CHANGES_NOTHING}"
            return False
        _, plan = foreseen(configuration)
        refused = [each for each in plan.refused if change.is_typed(each)]
        self._add("problems", (_at_word(change, each) for each in refused))
        others = [each for each in (*plan.refused, *plan.warnings) if each not in refused]
        self._add("warnings", (_at_word(change, each) for each in others))
        self._add("changes", map(as_json, plan.effects))
        self._add("failures", map(one_line, plan.failures))
        return not self._options.dry_run

    def refused(self) -> int:
        """Print what would be written, or why it is not. Return the exit status."""
        return self._end(self._status_if_refused if self._found["problems"] else DIFFERENT)

    def finish(self, change: Change) -> int:
        """Apply the files after the change has been written, and print what was done. Return the exit status."""
        self._found.update(written=True, changes=[], failures=[])
        status = OK
        if not self._options.no_apply:
            try:
                status, done = apply_all(shows=False)
                self._found.update({key: done[key] for key in ("changes", "failures", "problems", "hidden")})
            except NethookError as error:
                status = DIFFERENT
                self._found["failures"] = [one_line(str(error))]
        if status != OK:
            self._found["said"] = one_line(only_written(change.draft.path))
        return self._end(status)

    def _begin(self, lines: Iterable[dict[str, str]], warnings: Iterable[dict[str, Any]], *, said: str) -> None:
        self._found = {
            "version": VERSION,
            "written": False,
            "lines": [*lines],
            "problems": [],
            "warnings": [*warnings],
            "changes": [],
            "failures": [],
            "hidden": None,
            "said": said or None,
        }

    def _add(self, key: str, items: Iterable[Any]) -> None:
        self._found[key] += items

    def _end(self, status: int) -> int:
        print(json.dumps(self._found, indent=2))
        return status


def _shown(change: Change) -> Iterator[dict[str, str]]:
    """Yield the lines that come and go, as `plan` shows an effect."""
    if change.replaced:
        yield {"action": "remove", "text": change.replaced}
    yield {"action": ACTIONS[change.sign], "text": change.line}


def _number_of_word(text: str, column: int) -> int | None:
    try:
        return max(sum(each.column <= column for each in split_words(text)) - 1, 0)
    except LineError:  # nobody knows where the words of such a line begin
        return None


def _at_word(change: Change, problem: Problem) -> dict[str, Any]:
    """Return a problem for programs, with the number of the word of the command line that it is about."""
    column = problem.place.column
    word = None
    if change.is_typed(problem) and column:
        word = _number_of_word(problem.text, column)
    return {**problem_as_json(problem), "word": word}
