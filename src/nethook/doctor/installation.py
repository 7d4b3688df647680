"""The station of the installation: the hook, libvirt's daemon, and the service."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.host.files import read
from nethook.host.process import Call, ToolMissingError, find
from nethook.install import confinement, daemon, hook_file, package, systemd, units
from nethook.install.own_files import holds, is_ours
from nethook.install.package import PACKAGES, stub
from nethook.install.task import RefusedError
from nethook.legacy06 import old_link
from nethook.libvirt.live import DAEMONS, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.process import Tools

HOOK, DAEMON, SELINUX, APPARMOR, BOOT, SERVICE = "hook", "daemon", "selinux", "apparmor", "boot", "service"
INSTALL = "nethook install --yes"
NEXT_EVENT = "when a network starts, its addresses are not routed"


def hook(tools: Tools) -> Iterator[Finding]:
    """Yield whether the hook and the service run by themselves."""
    path = hook_file.path_for(daemon.version(tools))
    link = old_link.target(hook_file.ONLY)
    if link is not None and is_ours(hook_file.OURS) is None:
        yield from _link(link)
        path = hook_file.ONLY
        known = os.path.exists(link)
    else:
        failures = [] if _is_kept_away(path) else list(_file(path))
        if failures or is_ours(path) is not None:
            yield from failures or [Finding(OK, HOOK, f"{path} is ours")]
        known = is_ours(path) is not None and not any(finding.verdict == FAILURE for finding in failures)
    if known:
        yield from _known(tools, path)
    yield from _selinux(tools, path)
    yield from _code()
    if systemd.runs():
        yield from _service(tools)


def _service(tools: Tools) -> Iterator[Finding]:
    """Yield whether the service is there, runs now and at boot, and is of this version."""
    unit = units.SERVICE
    if not units.is_there():
        yield Finding(WARNING, BOOT, f"there is no {unit}, so nothing applies the files at boot", command=INSTALL)
        return
    if not systemd.is_enabled(tools, unit):
        text = f"{unit} does not run at boot: then nothing is routed to a network until a guest starts there"
        yield Finding(WARNING, BOOT, text, command=f"systemctl enable {unit}")
    if not systemd.is_active(tools, unit):
        text = f"{unit} does not run: what other programs remove is missing until the next event of its network"
        yield Finding(WARNING, SERVICE, text, command=f"systemctl start {unit}")
    if not units.are_current():
        text = f"{unit} is of another version of nethook, or units of an earlier version are left"
        yield Finding(WARNING, SERVICE, text, command=INSTALL)


def _file(path: str) -> Iterator[Finding]:
    ours = is_ours(path)
    if ours is None:
        yield Finding(FAILURE, HOOK, f"there is no {path}: {NEXT_EVENT}", command=INSTALL)
    elif not ours and hook_file.runs_ours(path):
        if not os.access(path, os.X_OK):
            yield Finding(FAILURE, HOOK, f"{path} is not executable: {NEXT_EVENT}", command=f"chmod 755 {path}")
    elif not ours:
        what = f"{path} is a foreign hook: {NEXT_EVENT}"
        if path == hook_file.OURS:
            command = f"mv -n {path} {hook_file.DROP_INS}/40-other && {INSTALL}"
            yield Finding(FAILURE, HOOK, what, command=command)
        else:
            yield Finding(FAILURE, HOOK, what, advice=f"add this line to it, which runs our hook: {hook_file.CALL}")
    elif not os.access(path, os.X_OK):
        yield Finding(FAILURE, HOOK, f"{path} is not executable: {NEXT_EVENT}", command=INSTALL)
    elif not holds(path, stub(sys.executable, PACKAGES).encode(), hook_file.MODE):
        yield Finding(WARNING, HOOK, f"{path} belongs to another installation of nethook", command=INSTALL)


def _link(link: str) -> Iterator[Finding]:
    what = f"{hook_file.ONLY} is a link of release 0.6 to {link}"
    if not os.path.exists(link):
        yield Finding(FAILURE, HOOK, f"{what}, which does not exist: {NEXT_EVENT}", command=INSTALL)
    elif not confinement.may_run(link) and confinement.confines_libvirt_here():
        yield Finding(FAILURE, APPARMOR, f"{what}, which AppArmor does not let libvirt run", command=INSTALL)
    else:
        yield Finding(OK, HOOK, what)


def _known(tools: Tools, path: str) -> Iterator[Finding]:
    """Yield whether each running daemon has looked for hooks since this one was written.

    A reload by a signal from an administrator leaves no trace. Then this is a false alarm, and its advice is harmless.
    """
    for name in DAEMONS:
        looked = _looked_for_hooks(tools, name)
        if looked is None:
            continue
        at, reload = looked
        if at is None:
            yield Finding(WARNING, DAEMON, f"it is unknown when {name} last looked for hooks", command=reload)
        elif os.lstat(path).st_ctime > at:
            yield Finding(
                FAILURE,
                DAEMON,
                f"{name} has not looked for hooks since {path} was written: {NEXT_EVENT}",
                command=reload,
            )
        else:
            yield Finding(OK, DAEMON, f"{name} knows the hook")


def _looked_for_hooks(tools: Tools, name: str) -> tuple[float | None, str] | None:
    """Return when the daemon was last started or reloaded, and the command that reloads it; None if it does not run.

    The time is in seconds since 1970, None if it is unknown.
    """
    unit = f"{name}.service"
    if systemd.runs():
        properties = ("MainPID", "ActiveState", "StateChangeTimestampMonotonic")
        result = tools.run(Call(("systemctl", "show", "--property", ",".join(properties), unit)))
        values = dict(line.split("=", 1) for line in result.out.splitlines() if "=" in line)
        if values.get("ActiveState") not in {"active", "reloading"}:
            return None
        changed = int(values.get("StateChangeTimestampMonotonic") or 0) / 1e6
        at = time.time() - time.monotonic() + changed if changed else started_at(values.get("MainPID", ""))
        return at, f"systemctl reload {unit}"
    pids = running(name)
    return (started_at(str(pids[0])), f"kill -HUP {pids[0]}") if pids else None


def started_at(pid: str) -> float | None:
    """Return when the process was started, in seconds since 1970, or None: proc_pid_stat(5), field 22."""
    status = read(f"/proc/{pid}/stat") if pid not in {"", "0"} else None
    fields = re.sub(r"^.*\)", "", status or "", flags=re.DOTALL).split()
    if len(fields) < 20:
        return None
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot


def _is_kept_away(path: str) -> bool:
    """Return whether there is no hook because SELinux would let no network start that has one."""
    if os.path.lexists(path):
        return False
    try:
        confinement.selinux_warning_here()
    except RefusedError:
        return True
    return False


def _selinux(tools: Tools, path: str) -> Iterator[Finding]:
    command = confinement.SELINUX_ADVICE.partition(": ")[2]
    if _is_kept_away(path):
        what = f"SELinux does not let libvirt run hooks, so there is no {path}: {NEXT_EVENT}"
        yield Finding(FAILURE, SELINUX, what, command=f"{command} && {INSTALL}")
        return
    try:
        warning = confinement.selinux_warning_here()
    except RefusedError:
        what = "SELinux does not let libvirt run hooks, so no network starts"
        yield Finding(FAILURE, SELINUX, what, command=command)
        return
    if warning:
        text = "SELinux is permissive now; as soon as it enforces, no network will start"
        yield Finding(WARNING, SELINUX, text, command=command)
    if not os.path.exists(confinement.SELINUX_ENFORCE):
        return
    try:
        find("restorecon")
    except ToolMissingError:
        return
    result = tools.run(Call(("restorecon", "-n", "-v", path)))
    if result.status == 0 and result.out.strip():
        yield Finding(WARNING, SELINUX, f"{path} has the wrong SELinux label", command=f"restorecon -v {path}")


def _code() -> Iterator[Finding]:
    try:
        package.refuse_untrusted()
    except RefusedError as refusal:
        yield Finding(WARNING, HOOK, str(refusal))
