"""AppArmor lets libvirt run only some programs as hooks, and what it may not run keeps guests from starting.

Files below /etc/libvirt/hooks may run, and start anything in /usr/bin and /usr/sbin, which leaves the profile: that is
what our hook does. A link there counts as its target. (usr.sbin.libvirtd of Debian and Ubuntu.)
"""

from __future__ import annotations

import os

from nethook.host.files import read

PROFILES = "/sys/kernel/security/apparmor/profiles"
DAEMONS = ("libvirtd", "virtnetworkd")
FOLDERS = ("/usr/bin", "/usr/sbin", "/bin", "/sbin")
HOOKS = "/etc/libvirt/hooks/"


def confines_libvirt_here() -> bool:
    """``confines_libvirt`` for the profiles of this host."""
    return confines_libvirt(read(PROFILES) or "")


def confines_libvirt(profiles: str) -> bool:
    """Whether a profile of libvirt's daemon is enforced, from the kernel's list of ``NAME (MODE)``."""
    for line in profiles.splitlines():
        name, _, mode = line.rpartition(" ")
        if mode == "(enforce)" and os.path.basename(name) in DAEMONS:
            return True
    return False


def may_run(program: str) -> bool:
    """Whether a confined libvirt may run the program of this path, links resolved."""
    return os.path.dirname(program) in FOLDERS or program.startswith(HOOKS)
