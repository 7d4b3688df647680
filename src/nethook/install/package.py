"""The package and the interpreter that hook and units run: the text of the hook, and whether the two can be trusted.

The hook and the units run them as root, so a user who may write to one of their files, or swap it, could become root.
These files are the interpreter with its library, the package, and everything on the way to them, the links included.
"""

from __future__ import annotations

import grp
import os
import pwd
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from nethook.host.files import ACL, EVERYBODY, GROUP, OWNER, on_the_way, weakness
from nethook.host.process import Call
from nethook.install.task import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.process import Tools

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGES = str(PACKAGE.parent)
DISTRIBUTED = "/usr/share/libvirt-nethook-helper"
"""Where a package of a distribution has its copy. Python does not look there by itself, and pip never writes there."""
SECONDS = "30"
"""The time limit of a program that is started by its path: shorter than the tasks wait, so that no process is left."""

ADVICE = "install nethook as root for the system's Python"


def stub(python: str, packages: str) -> str:
    """Return the text of the hook file, which runs this Python with the packages of this folder and no others."""
    text = (PACKAGE / "lv-setup-routed-ips").read_text(encoding="utf-8")
    for name, value in (("python", python), ("packages", packages)):
        text = text.replace(f"\n{name}=\n", f"\n{name}={quote(value)}\n", 1)
    return text


def refuse_unless_hook_imports(tools: Tools) -> None:
    """Raise RefusedError unless the hook can be imported as the stub imports it: isolated, and from this folder."""
    code = "import sys; sys.path.extend(sys.argv[1:]); import nethook.hook"
    result = tools.run(at_path(sys.executable, "-I", "-S", "-c", code, PACKAGES))
    if result.status != 0:
        why = (result.err.splitlines() or [result.failure])[-1]  # the last line of a traceback names the error
        raise RefusedError(f"{sys.executable} cannot import the hook from {PACKAGES}: {why}; install nethook anew")


def refuse_unless_command_imports(tools: Tools) -> None:
    """Raise RefusedError unless ``python -I -m nethook``, which the units start, finds this very package."""
    result = tools.run(at_path(sys.executable, "-I", "-c", "import nethook.cli; print(nethook.__path__[0])"))
    if result.status != 0 or result.out.strip() != str(PACKAGE):
        raise RefusedError(
            f"{sys.executable} does not find {PACKAGE} by itself, so a unit of systemd could not run it; "
            "install nethook with the pip of this interpreter"
        )


def refuse_beside_distributed() -> None:
    """Raise RefusedError if a package of the distribution is installed, and this is another copy."""
    if os.path.isdir(DISTRIBUTED) and PACKAGES != DISTRIBUTED:
        raise RefusedError(
            f"the package libvirt-nethook-helper has installed nethook in {DISTRIBUTED}, and this is another copy, in "
            f"{PACKAGES}; {_removal(sys.executable)}"
        )


def warning_of_others(tools: Tools) -> str:
    """Return a warning about another copy, which pip has installed for this interpreter; "" if there is none."""
    result = tools.run(at_path(sys.executable, "-I", "-c", "import nethook; print(nethook.__path__[0])"))
    found = result.out.strip()
    if result.status != 0 or found == str(PACKAGE):
        return ""
    return f"{found} is another copy, whose command a shell may find first; {_removal(sys.executable)}"


def _removal(python: str) -> str:
    return f"remove it: {python} -m pip uninstall libvirt-nethook-helper (Debian and Ubuntu: --break-system-packages)"


def at_path(path: str, *arguments: str) -> Call:
    """Return the call that runs the program at this path. ``Tools`` itself finds programs by name only."""
    return Call(("timeout", SECONDS, path, *arguments))


def refuse_untrusted() -> None:
    """Raise RefusedError if a user other than root may change code that would run as root."""
    # A new file in the folder of the packages, or below it, could be imported instead of ours.
    code = {str(PACKAGE.parent), *_tree(str(PACKAGE))}
    for path in sorted({*code, *on_the_way({sys.executable, os.__file__, *code})}):
        why = who_may_change(path, os.lstat(path), others_may_add=path not in code)
        if why:
            raise RefusedError(f"{path} {why}, who could become root through the hook; {ADVICE}")


def who_may_change(path: str, status: os.stat_result, *, others_may_add: bool) -> str:
    """Return who besides root may change a file, folder or link, as the end of a sentence; "" if nobody may.

    With ``others_may_add``, a folder with the sticky bit is fine.
    """
    found = weakness(path, status, others_may_add=others_may_add)
    if found == OWNER:
        return f"belongs to user {status.st_uid}"
    if found == EVERYBODY:
        return "can be written by everybody"
    if found == ACL:
        return f"has an access control list (see getfacl {path}) and can be written by those named in it"
    members = users_in(status.st_gid) if found == GROUP else set()
    return f"can be written by {', '.join(sorted(members))}" if members else ""


def users_in(gid: int) -> set[str]:
    """Return all users but root in a group.

    Debian and Ubuntu let the group staff write to /usr/local; on most hosts it has no members.
    """
    try:
        members = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        members = set()
    members.update(user.pw_name for user in pwd.getpwall() if user.pw_gid == gid)
    return members - {user.pw_name for user in pwd.getpwall() if user.pw_uid == 0}


def _tree(folder: str) -> Iterator[str]:
    yield folder
    for parent, folders, files in os.walk(folder):
        yield from (os.path.join(parent, name) for name in folders + files)
