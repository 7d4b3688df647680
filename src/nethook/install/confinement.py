"""AppArmor and SELinux: which programs they let libvirt run as hooks.

A hook that libvirt may not run keeps networks and guests from starting.

- AppArmor (the profile usr.sbin.libvirtd of Debian and Ubuntu): files below /etc/libvirt/hooks may run, and may start
  anything in /usr/bin and /usr/sbin without the profile. Our hook does that. A link there counts as its target.
- SELinux (Fedora 40 and later, RHEL 10): virtnetworkd may run hooks only with a boolean that is off by default. A
  policy without this boolean (RHEL 9, libvirtd) has no such limit.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.host.files import read
from nethook.host.process import ToolMissingError, find
from nethook.install.task import RefusedError, Task, must

if TYPE_CHECKING:
    from nethook.host.process import Tools

APPARMOR_PROFILES = "/sys/kernel/security/apparmor/profiles"
CONFINED = ("libvirtd", "virtnetworkd")
APPARMOR_FOLDERS = ("/usr/bin", "/usr/sbin", "/bin", "/sbin")
APPARMOR_HOOKS = "/etc/libvirt/hooks/"

SELINUX_ENFORCE = "/sys/fs/selinux/enforce"
SELINUX_BOOLEAN = "/sys/fs/selinux/booleans/virt_hooks_unconfined"
SELINUX_ADVICE = "run: setsebool -P virt_hooks_unconfined on"


def confines_libvirt_here() -> bool:
    """Return whether AppArmor confines libvirt's daemon on this host."""
    return confines_libvirt(read(APPARMOR_PROFILES) or "")


def confines_libvirt(profiles: str) -> bool:
    """Return whether one of the ``profiles``, the kernel's list of ``NAME (MODE)``, confines libvirt's daemon."""
    for line in profiles.splitlines():
        name, _, mode = line.rpartition(" ")
        if mode == "(enforce)" and os.path.basename(name) in CONFINED:
            return True
    return False


def may_run(program: str) -> bool:
    """Return whether a confined libvirt may run the program at this path, in which links are already resolved."""
    return os.path.dirname(program) in APPARMOR_FOLDERS or program.startswith(APPARMOR_HOOKS)


def selinux_warning_here() -> str | None:
    """Return ``selinux_warning`` for this host."""
    return selinux_warning(read(SELINUX_ENFORCE), read(SELINUX_BOOLEAN))


def selinux_warning(enforce: str | None, boolean: str | None) -> str | None:
    """Return a warning about SELinux before a hook is installed, or None.

    ``enforce`` and ``boolean`` are the contents of the two files of the kernel, None for a file that does not exist.
    RefusedError if SELinux would keep networks from starting.
    """
    allowed = boolean is None or boolean.startswith("1")  # the file has two numbers: current and pending
    if enforce is None or allowed:
        return None
    if enforce.strip() == "1":
        what = "SELinux does not let libvirt run hooks, so no network would start any more"
        raise RefusedError(f"{what}; {SELINUX_ADVICE}")
    return f"SELinux is permissive now; as soon as it enforces, no network will start; {SELINUX_ADVICE}"


def relabel(tools: Tools, path: str) -> list[Task]:
    """Return the task that gives a written file the SELinux label of its path; no task on a host without SELinux."""
    if not os.path.exists(SELINUX_ENFORCE):
        return []
    try:
        find("restorecon")
    except ToolMissingError:
        return []
    return [Task(f"label {path} for SELinux", f"labelled {path}", lambda: must(tools, "restorecon", path))]
