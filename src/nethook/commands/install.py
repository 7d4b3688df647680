"""``nethook install``: make libvirt run the hook, and systemd apply the files at boot."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.config import load, load_settings
from nethook.doctor.foreign_marks import foreign_marks
from nethook.engine.situation import require_root
from nethook.errors import ConfigError, NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.host import Host
from nethook.install import confinement, daemon, firewalld_files, forwarding, hook_file, package, systemd, units
from nethook.install.task import RefusedError, remove, run_tasks, show, warn
from nethook.legacy06 import old_link
from nethook.terminal import confirm, show_first_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from nethook.config.text import Problem
    from nethook.install.task import Task

SECONDS = 120.0
"""nethook.service waits for libvirt's daemon, and may have thousands of addresses to route."""

NO_SYSTEMD = "this host does not run systemd: have `nethook apply --keep-going` run at boot, after libvirt's daemon"
HOW_TO_WATCH = (
    f"after you edit the file, run `nethook apply`. To apply changes automatically: systemctl enable --now {units.PATH}"
)


def run(options: Namespace) -> int:
    """Install, or print what would be done, and return the exit status."""
    if not options.dry_run:
        require_root("install the hook")
    tools = Host(SECONDS)
    try:
        tasks = [*(forwarding.tasks(tools) if options.enable_forwarding else []), *_tasks(tools, _answer_to(options))]
    except RefusedError as refusal:
        warn(str(refusal))
        return DIFFERENT
    if not tasks:
        print("everything is already in place")
        return OK
    if options.dry_run:
        show(tasks)
        return OK
    status = run_tasks(tasks)
    _say_what_is_wrong_in_the_files(tools)
    if systemd.runs() and not systemd.is_enabled(tools, units.PATH):
        warn(HOW_TO_WATCH)
    return status


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
    hook = hook_file.path_for(daemon.version(tools))
    package.refuse_untrusted()
    package.refuse_unless_hook_imports(tools)
    if warning := confinement.selinux_warning_here():
        warn(warning)
    _warn_of_foreign_marks(tools)
    unit_tasks = []
    if systemd.runs():
        if not units.are_packaged():
            package.refuse_unless_command_imports(tools)
            units.refuse_foreign()
        unit_tasks = units.tasks(tools)
    else:
        warn(NO_SYSTEMD)

    link = old_link.target(hook_file.ONLY)
    if link is None or hook != hook_file.ONLY:
        hook_file.refuse_foreign(hook)
    tasks = hook_file.tasks(tools, hook)
    if link is not None and old_link.replace(hook_file.ONLY, link, answer, only_place=hook == hook_file.ONLY):
        tasks += [] if hook == hook_file.ONLY else [remove(hook_file.ONLY)]
    for copy in hook_file.copies():
        warn(f"libvirt also runs {copy} at each event; to remove it: rm {copy}")
    if tasks:
        tasks += daemon.reload(tools)
    # firewalld first: libvirt rewrites its rules when firewalld reloads or itself, and must not do both at once.
    return [*firewalld_files.tasks(tools), *tasks, *unit_tasks]
