"""``nethook install``: have libvirt run the hook, and systemd apply the files at boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config import load_settings
from nethook.doctor.foreign_marks import foreign_marks
from nethook.engine.situation import require_root
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.host.host import Host
from nethook.install import daemon, firewalld, forwarding, hook_file, interpreter, selinux, systemd, trust, units
from nethook.install.refusal import RefusedError
from nethook.install.step import remove, show, take, warn
from nethook.legacy06 import old_link
from nethook.terminal import confirm

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from nethook.install.step import Step

SECONDS = 120.0
"""nethook.service waits for libvirt's daemon, and may have thousands of addresses to route."""

NO_SYSTEMD = "systemd does not run here, so have `nethook apply --keep-going` run at boot, after libvirt's daemon"
HOW_TO_WATCH = (
    f"after you edit the file, run `nethook apply`. To apply changes automatically: systemctl enable --now {units.PATH}"
)


def run(options: Namespace) -> int:
    """Install, or say what would be done. Returns the exit status."""
    if not options.dry_run:
        require_root("install the hook")
    tools = Host(SECONDS)
    try:
        steps = [*(forwarding.steps(tools) if options.enable_forwarding else []), *_plan(tools, _answer_to(options))]
    except RefusedError as refusal:
        warn(str(refusal))
        return DIFFERENT
    if not steps:
        print("everything is in place already")
        return OK
    if options.dry_run:
        show(steps)
        return OK
    status = take(steps)
    if systemd.runs() and not systemd.is_enabled(tools, units.PATH):
        warn(HOW_TO_WATCH)
    return status


def _answer_to(options: Namespace) -> Callable[[str], bool]:
    """What answers a question: the option, somebody at the terminal, or in a dry run nobody."""
    if options.yes:
        return lambda _: True
    return (lambda _: False) if options.dry_run else confirm


def _warn_of_foreign_marks(tools: Host) -> None:
    """Say what else uses our bit of the packet mark. A mistake in the settings is said by whoever needs them."""
    try:
        bit = load_settings().mark_bit
    except NethookError:
        return
    marks = foreign_marks(tools)
    for used in filter(None, (marks.certain(bit), marks.possible(bit))):
        warn(f"{used}; {marks.advice()}")
    for failure in marks.not_looked_at:
        warn(f"not looked for others that use our mark bit: {failure}")


def _plan(tools: Host, answer: Callable[[str], bool]) -> list[Step]:
    """What is to be done. RefusedError if it must not be, NethookError if that cannot be found out."""
    hook = hook_file.place(daemon.version(tools))
    trust.refuse_untrusted()
    interpreter.refuse_unless_hook_imports(tools)
    if warning := selinux.warning_of_this_host():
        warn(warning)
    _warn_of_foreign_marks(tools)
    behind = []
    if systemd.runs():
        if not units.are_packaged():
            interpreter.refuse_unless_command_imports(tools)
            units.refuse_foreign()
        behind = units.steps(tools)
    else:
        warn(NO_SYSTEMD)

    link = old_link.target(hook_file.ONLY)
    if link is None or hook != hook_file.ONLY:
        hook_file.refuse_foreign(hook)
    steps = hook_file.steps(tools, hook)
    if link is not None and old_link.replace(hook_file.ONLY, link, answer, only_place=hook == hook_file.ONLY):
        steps += [] if hook == hook_file.ONLY else [remove(hook_file.ONLY)]
    for copy in hook_file.copies():
        warn(f"{copy} is run at each event, too; to remove it: rm {copy}")
    if steps:
        steps += daemon.reload(tools)
    # firewalld first: libvirt writes its rules anew when either of them reloads, and would do it at the same time.
    return [*firewalld.steps(tools), *steps, *behind]
