"""The pager of the person at the terminal: a text that does not fit is shown by it, as git and systemctl do it."""

from __future__ import annotations

import os
import signal
import subprocess

from nethook.host.process import ToolMissingError, find

USUAL = "less"
OPTIONS = "FRX"
"""Those of less: end at once if the text fits, show colours, leave the text on the screen."""
SHELL = "/bin/sh"


def which() -> str:
    """Return the command of the pager, as a shell takes it: PAGER, or less; '' for none."""
    chosen = os.environ.get("PAGER")
    if chosen is not None:
        return "" if chosen.strip() in {"", "cat"} else chosen
    try:
        return find(USUAL)
    except ToolMissingError:
        return ""


def _ignore(*_: object) -> None:
    pass


def page(text: str) -> bool:
    """Show the text in the pager until it is left. Return False if there is none, or it cannot be started."""
    pager = which()
    if not pager:
        return False
    environment = {"LESS": OPTIONS, **os.environ}
    if "SUDO_UID" in os.environ:  # else whoever may run this as root could run a shell out of less
        environment["LESSSECURE"] = "1"
    before = signal.signal(signal.SIGINT, _ignore)  # Ctrl-C is for the pager, in which it is as usual
    try:
        argv = [SHELL, "-c", f"trap : INT\n{pager}"]
        shown = subprocess.Popen(argv, stdin=subprocess.PIPE, env=environment)
        shown.communicate(text.encode("utf-8", "backslashreplace"))  # one who leaves early is no failure
    except OSError:
        return False
    finally:
        signal.signal(signal.SIGINT, before)
    return shown.returncode not in {126, 127}  # the shell's own, if it cannot run the pager
