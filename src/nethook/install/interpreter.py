"""Whether the interpreter that runs now finds the package in the two ways in which it will be started."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.install.programs import at_path
from nethook.install.refusal import RefusedError
from nethook.install.stub import PACKAGE

if TYPE_CHECKING:
    from nethook.host.process import Tools

PACKAGES = str(PACKAGE.parent)


def refuse_unless_hook_imports(tools: Tools) -> None:
    """RefusedError unless the hook can be imported the way the stub does it: isolated, and with this folder."""
    code = "import sys; sys.path.extend(sys.argv[1:]); import nethook.hook"
    result = tools.run(at_path(sys.executable, "-I", "-S", "-c", code, PACKAGES))
    if result.status != 0:
        why = (result.err.splitlines() or [result.failure])[-1]  # of a traceback, what it is about
        raise RefusedError(f"{sys.executable} cannot import the hook from {PACKAGES}: {why}; install nethook anew")


def refuse_unless_command_imports(tools: Tools) -> None:
    """RefusedError unless ``python -I -m nethook``, as the units start it, is this very package."""
    result = tools.run(at_path(sys.executable, "-I", "-c", "import nethook.cli; print(nethook.__path__[0])"))
    if result.status != 0 or result.out.strip() != str(PACKAGE):
        raise RefusedError(
            f"{sys.executable} does not find {PACKAGE} by itself, so a unit of systemd could not run it; "
            "install nethook for this interpreter, with its pip"
        )
