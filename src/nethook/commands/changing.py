"""A change of one line, as `nethook add` and `remove` make it: check, plan, question, write, apply.

`nethook edit` asks other questions, and shares the plan and what comes after writing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from nethook.changes import REMOVE, Effect
from nethook.commands.apply import apply_all
from nethook.commands.check import examine
from nethook.commands.plan import show_effects, show_remarks
from nethook.config import load
from nethook.config.text import Place, Problem, one_line
from nethook.editing.draft import FileChangedError
from nethook.engine.plan import decide
from nethook.engine.situation import limited_host, require_root, situation
from nethook.errors import ConfigError, NethookError
from nethook.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.libvirt.live import LibvirtError
from nethook.terminal import can_ask, confirm, painted, show_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from nethook.commands.check import Examination
    from nethook.config import Configuration
    from nethook.editing.draft import Draft
    from nethook.engine.plan import Plan
    from nethook.engine.situation import Situation
    from nethook.host import Host

ATTEMPTS = 20
"""Others may change the file between reading and writing. Each attempt is lost only to one that has changed it."""
NOTHING_WRITTEN = "nothing was written"
APPLY_CHANGES_NOTHING = (
    "because apply changes nothing until these mistakes are corrected; run `nethook edit`, or use --no-apply"
)


class Change(NamedTuple):
    """A line more or less. ``sign`` and ``line`` are for people, and so is the ``question``.

    ``numbered`` is the draft with the numbers that lines have now. ``typed`` is the number of the line that the
    command line gives, 0 if it gives none; ``hint`` is advice if it has mistakes. ``replaced`` is the line that it
    replaces, '' if it replaces none.
    """

    draft: Draft
    numbered: Draft
    sign: str
    line: str
    question: str
    typed: int = 0
    hint: str = ""
    replaced: str = ""

    def show(self) -> None:
        """Print the line, and the one that it replaces."""
        if self.replaced:
            print(painted(Effect(REMOVE, "line", note=self.replaced), sys.stdout))
        print(painted(Effect(self.sign, "line", note=self.line), sys.stdout))

    def is_typed(self, problem: Problem) -> bool:
        """Return whether the problem is one of the line that was typed."""
        return (problem.place.file, problem.place.line) == (self.draft.path, self.typed)

    def at_its_words(self, problem: Problem) -> Problem:
        """Return the problem; if it is one of the line that was typed, without a place in a file."""
        place = problem.place
        if not self.is_typed(problem):
            return problem
        return Problem(
            Place("nethook add", 0, place.column), problem.what, problem.advice, problem.text, problem.prefix
        )


class NoChange(NamedTuple):
    """The reason why nothing is written: exit status, sentence, mistakes. ``is_there``: the line is there already."""

    status: int
    said: str
    problems: Sequence[Problem] = ()
    is_there: bool = False


class Conversation:
    """The words with a person about a change; ``options`` are those of the verb. ``answering.Answer`` is for programs.

    ``is_blind``: nobody sees the change before it is made.
    """

    def __init__(self, options: Namespace) -> None:
        self._options = options
        self.is_blind = bool(options.yes or options.no_apply)
        self._status_if_refused = UNKNOWN if options.dry_run else DIFFERENT

    def nothing(self, why: NoChange) -> int:
        """Say why there is nothing to write. Return the exit status."""
        show_problems(why.problems, sys.stderr)
        if why.is_there:
            print(why.said)
        else:
            print(f"nethook: {why.said}", file=sys.stderr)
        return self._status_of(why)

    def _status_of(self, why: NoChange) -> int:
        return self._status_if_refused if why.status == DIFFERENT else why.status

    def is_right(self, change: Change, found: Examination) -> bool:
        """Show the new mistakes and warnings. Return whether there are no mistakes."""
        if found.failure:
            print(f"nethook: {found.failure}", file=sys.stderr)
        show_problems([change.at_its_words(each) for each in (*found.warnings, *found.problems)], sys.stderr)
        if found.problems:
            print(f"nethook: {NOTHING_WRITTEN}{change.hint}", file=sys.stderr)
        return not found.problems

    def is_accepted(self, change: Change) -> bool:
        """Show the change and what it leads to, and ask. Return whether to write it."""
        if self._options.no_apply:
            return True
        configuration = change.draft.configuration(limited_host())
        if configuration.problems:
            show_problems(configuration.problems, sys.stderr)
            print(f"nethook: {NOTHING_WRITTEN}, {APPLY_CHANGES_NOTHING}", file=sys.stderr)
            return False
        if self.is_blind:
            look_ahead(configuration, shows=False)
            return True
        change.show()
        plan = look_ahead(configuration)
        if self._options.dry_run:
            self._status_if_refused = UNKNOWN if any(map(change.is_typed, plan.refused)) else DIFFERENT
            return False
        if confirm(change.question):
            return True
        print(f"nethook: {NOTHING_WRITTEN}{'' if can_ask() else '; use --yes to write and apply it'}", file=sys.stderr)
        return False

    def refused(self) -> int:
        """Return the exit status of a change that is not to be written."""
        return self._status_if_refused

    def finish(self, change: Change) -> int:
        """Apply the files after the change has been written. Return the exit status."""
        if self.is_blind:
            change.show()
        return finish(change.draft.path, applies=not self._options.no_apply)


def change_file(make: Callable[[Host], Change | NoChange], told: Conversation) -> int:
    """Carry out the change that ``make`` works out from the files, and tell about it. Return the exit status.

    Errors are those of reading and of writing. A change that nobody has seen before it is made is worked out anew when
    others have changed the file meanwhile.
    """
    require_root("change the files")
    for _ in range(ATTEMPTS):
        change = make(limited_host())
        if isinstance(change, NoChange):
            return told.nothing(change)
        if not told.is_right(change, _new_findings(change)) or not told.is_accepted(change):
            return told.refused()
        try:
            change.draft.write(limited_host())
        except FileChangedError as error:
            if not told.is_blind:
                raise
            lost = error
            continue
        return told.finish(change)
    raise lost


def _new_findings(change: Change) -> Examination:
    """Return the mistakes and warnings that the change brings."""
    found = _findings(change.numbered.configuration(limited_host()))
    if not found.problems and not found.warnings:
        return found
    before = _findings(load(limited_host()))
    known = {str(problem) for problem in (*before.problems, *before.warnings)}
    problems, warnings = ([each for each in some if str(each) not in known] for some in found[:2])
    return found._replace(problems=problems, warnings=warnings)


def _findings(configuration: Configuration) -> Examination:
    """Return the mistakes of the files, on this host too, and the warnings."""
    found = examine(configuration, limited_host())
    return found._replace(problems=[*configuration.problems, *found.problems])


def look_ahead(configuration: Configuration, *, shows: bool = True) -> Plan:
    """Show what `nethook plan` would, and return that plan.

    NethookError if it cannot be known: then nothing must be written.
    """
    now, plan = foreseen(configuration)
    if shows:
        show_effects(plan)
        show_remarks(now, plan)
    return plan


def foreseen(configuration: Configuration) -> tuple[Situation, Plan]:
    """Return the plan of what apply would do. NethookError if that cannot be known: then nothing must be written."""
    try:
        now = situation(configuration)
    except LibvirtError as error:
        what = f"{NOTHING_WRITTEN}; --no-apply writes it without asking libvirt"
        raise NethookError(f"{error}; {what}") from error
    return now, decide(now.question(limited_host()))


def finish(path: str, *, applies: bool) -> int:
    """Apply the files after this one has been written. Return the exit status."""
    if not applies:
        print(f"nethook: {path} is written; to put it in force, run `nethook apply`", file=sys.stderr)
        return OK
    status = DIFFERENT
    try:
        status, _ = apply_all()
    except ConfigError as error:
        show_problems(error.problems, sys.stderr)
    except NethookError as error:
        print(f"nethook: {one_line(str(error))}", file=sys.stderr)
    finally:
        if status != OK:
            print(f"nethook: {only_written(path)}", file=sys.stderr)
    return status


def only_written(path: str) -> str:
    """Return a sentence about a change that is in this file, and maybe not in the kernel."""
    what = "but not everything is in force; when the cause is removed, run `nethook apply`"
    return f"the change is in {path}, {what}"
