"""``nethook install``: make libvirt run the hook, and systemd run the service."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from nethook.config import SETTINGS_FILE, load, load_settings
from nethook.doctor.foreign_marks import foreign_marks
from nethook.engine import applied
from nethook.engine.situation import require_root
from nethook.errors import ConfigError, NethookError
from nethook.exit_status import DIFFERENT, OK, UNKNOWN
from nethook.host import Host
from nethook.install import confinement, daemon, firewalld_files, forwarding, hook_file, package, systemd, units
from nethook.install.task import RefusedError, carry_out, patient_host, remove, show, warn
from nethook.legacy06 import old_link
from nethook.shell import word
from nethook.terminal import confirm, show_first_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from nethook.config.text import Problem
    from nethook.install.task import Task

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""

NO_SYSTEMD = "this host does not run systemd: have `nethook watch` run from boot on, after libvirt's daemon"
AUTOMATIC = "auto-apply = yes"
HOW_TO_AUTOMATE = (
    "after you edit the file, run `nethook apply`. To apply changes automatically, write this line to "
    f"{SETTINGS_FILE}: {AUTOMATIC}"
)
NO_LONGER_AUTOMATIC = (
    f"{units.FORMER_PATH} applied changes automatically until now. To keep that, write this line to "
    f"{SETTINGS_FILE}: {AUTOMATIC}"
)


def run(options: Namespace) -> int:
    """Install, or print what would be done, and return the exit status."""
    if not options.dry_run:
        require_root("install the hook")
    tools = patient_host()
    was_automatic = systemd.runs() and units.former_applies_changes(tools)
    try:
        tasks = [*(forwarding.tasks(tools) if options.enable_forwarding else []), *_tasks(tools, _answer_to(options))]
    except RefusedError as refusal:
        warn(str(refusal))
        return _end(options, [], [str(refusal)])
    if not tasks:
        by_whom = ": the package libvirt-nethook-helper has installed it" if units.are_packaged() else ""
        _told(options)(f"everything is already in place{by_whom}")
        return _end(options, [], [])
    failures: Sequence[str] = []
    if options.dry_run:
        changes = show(tasks, _told(options))
    else:
        if not (systemd.runs() and systemd.is_active(tools, units.SERVICE)):
            applied.forget_clear(tools)
        changes, failures = carry_out(tasks, _told(options))
        _say_what_is_wrong_in_the_files(tools)
    if not _is_automatic(tools) and (was_automatic or not options.dry_run):
        warn(NO_LONGER_AUTOMATIC if was_automatic else HOW_TO_AUTOMATE)
    return _end(options, changes, failures)


def _told(options: Namespace) -> Callable[[str], object]:
    """Return what prints a line for people; with --json, nothing does."""
    return (lambda _: None) if options.json else print


def _end(options: Namespace, changes: Sequence[str], failures: Sequence[str]) -> int:
    """Print the result for programs if they want it, and return the exit status."""
    if options.json:
        found = {"version": VERSION, "changed": bool(changes), "changes": list(changes), "failures": list(failures)}
        print(json.dumps(found, indent=2))
    if options.dry_run:
        return UNKNOWN if failures else DIFFERENT if changes else OK
    return DIFFERENT if failures else OK


def _is_automatic(host: Host) -> bool:
    """Return whether the service applies changed files. Wrong settings are reported elsewhere."""
    try:
        return load_settings(host).auto_apply
    except NethookError:
        return False


def _say_what_is_wrong_in_the_files(host: Host) -> None:
    """Show the mistakes in the files: the unit that has applied them tells the journal alone."""
    problems: Sequence[Problem]
    try:
        problems = load(host).problems
    except ConfigError as error:
        problems = error.problems
    except NethookError as error:
        warn(str(error))
        return
    show_first_problems(problems, sys.stderr)
    if problems:
        warn("correct these mistakes, and run `nethook apply`")


def _answer_to(options: Namespace) -> Callable[[str], bool]:
    """Return the function that answers a question: yes with --yes, no in a dry run, else by asking at the terminal."""
    if options.yes:
        return lambda _: True
    return (lambda _: False) if options.dry_run else confirm


def _warn_of_foreign_marks(tools: Host) -> None:
    """Warn of foreign rules that use our bit of the packet mark. Wrong settings are reported elsewhere."""
    try:
        bit = load_settings(tools).mark_bit
    except NethookError:
        return
    marks = foreign_marks(tools)
    for used in filter(None, (marks.certain(bit), marks.possible(bit))):
        warn(f"{used}; {marks.advice()}")
    for failure in marks.not_looked_at:
        warn(f"not checked for other users of our mark bit: {failure}")


def _tasks(tools: Host, answer: Callable[[str], bool]) -> list[Task]:
    """Return the tasks of the installation. RefusedError if it would do harm, NethookError if that is unknown."""
    package.refuse_beside_distributed()
    hook = hook_tasks(tools, answer)
    unit_tasks = []
    if systemd.runs():
        if not units.are_packaged():
            package.refuse_unless_command_imports(tools)
            units.refuse_foreign()
        unit_tasks = units.tasks(tools)
    else:
        warn(NO_SYSTEMD)
    # firewalld first: libvirt rewrites its rules when firewalld reloads or itself, and must not do both at once.
    return [*firewalld_files.tasks(tools), *hook, *unit_tasks]


def hook_tasks(tools: Host, answer: Callable[[str], bool]) -> list[Task]:
    """Return the tasks that make libvirt run the hook. RefusedError and NethookError as above."""
    hook = hook_file.path_for(daemon.version(tools))
    package.refuse_untrusted()
    package.refuse_unless_hook_imports(tools)
    if warning := confinement.selinux_warning_here():
        warn(warning)
    _warn_of_foreign_marks(tools)
    link = old_link.target(hook_file.ONLY)
    if link is None or hook != hook_file.ONLY:
        hook_file.refuse_foreign(hook)
    tasks = hook_file.tasks(tools, hook)
    if link is not None and old_link.replace(hook_file.ONLY, link, answer, only_place=hook == hook_file.ONLY):
        tasks += [] if hook == hook_file.ONLY else [remove(hook_file.ONLY)]
    for copy in hook_file.copies():
        warn(f"libvirt also runs {copy} at each event; to remove it: rm {word(copy)}")
    return [*tasks, *daemon.reload(tools)] if tasks else []
