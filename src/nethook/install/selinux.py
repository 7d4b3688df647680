"""SELinux lets virtnetworkd run hooks only with a boolean that is off by default (Fedora 40 and later, RHEL 10).

Without it every start of a network fails once there is a hook. Where the policy has no such boolean (RHEL 9, libvirtd),
there is no such limit.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.host.files import read
from nethook.host.process import ToolMissingError, find
from nethook.install.programs import must
from nethook.install.refusal import RefusedError
from nethook.install.step import Step

if TYPE_CHECKING:
    from nethook.host.process import Tools

ENFORCE = "/sys/fs/selinux/enforce"
BOOLEAN = "/sys/fs/selinux/booleans/virt_hooks_unconfined"
ADVICE = "run: setsebool -P virt_hooks_unconfined on"


def warning_of_this_host() -> str | None:
    """``warning`` for what the kernel of this host says."""
    return warning(read(ENFORCE), read(BOOLEAN))


def warning(enforce: str | None, boolean: str | None) -> str | None:
    """What to say before a hook is installed, from the content of both files (None: there is none).

    RefusedError if SELinux would keep networks from starting.
    """
    allowed = boolean is None or boolean.startswith("1")  # "CURRENT PENDING"
    if enforce is None or allowed:
        return None
    if enforce.strip() == "1":
        raise RefusedError(f"SELinux keeps libvirt from running hooks, so no network would start any more; {ADVICE}")
    return f"SELinux only warns now; once it is enforcing, no network will start, unless you {ADVICE}"


def relabel(tools: Tools, path: str) -> list[Step]:
    """Give a file that was written the label that the policy has for its path; nothing to do without SELinux."""
    if not os.path.exists(ENFORCE):
        return []
    try:
        find("restorecon")
    except ToolMissingError:
        return []
    return [Step(f"label {path} for SELinux", f"labelled {path}", lambda: must(tools, "restorecon", path))]
