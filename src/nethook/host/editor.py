"""The editor of the person at the terminal: which one it is, and running it on a copy."""

from __future__ import annotations

import os
import signal
import tempfile

from nethook.errors import NethookError
from nethook.host.process import ToolMissingError, find

VARIABLES = ("VISUAL", "EDITOR")
USUAL = ("sensible-editor", "editor", "vi", "nano")
SHELL = "/bin/sh"


def edited(name: str, data: bytes) -> bytes:
    """Return what a person makes of this content. The copy that the editor opens has this name, in a private folder.

    NethookError if there is no editor or it fails, OSError if the copy cannot be written or read.
    """
    editor = which()
    with tempfile.TemporaryDirectory(prefix="nethook-") as folder:
        copy = os.path.join(folder, name)
        with open(copy, "wb") as file:
            file.write(data)
        status = _run(editor, copy)
        if status != 0:
            raise NethookError(f"the editor {editor} ended with status {status}, so nothing was changed")
        with open(copy, "rb") as file:
            return file.read()


def which() -> str:
    """Return the command of the editor, as a shell takes it; NethookError if there is none."""
    for variable in VARIABLES:
        if os.environ.get(variable, "").strip():
            return os.environ[variable]
    for name in USUAL:
        try:
            return find(name)
        except ToolMissingError:
            continue
    raise NethookError(f"no editor is installed ({', '.join(USUAL)}); install one, or set EDITOR to the one to use")


def _run(editor: str, copy: str) -> int:
    """Run the editor and return its status. Ctrl-C is for the editor, and ends nothing here."""
    signals = (signal.SIGINT, signal.SIGQUIT)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        argv = [SHELL, "-c", f'trap : INT QUIT\n{editor} "$@"', editor, copy]  # the shell, too, outlives Ctrl-C
        pid = os.posix_spawn(SHELL, argv, os.environ, setsigdef=[*signals, signal.SIGPIPE])
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        for number, handler in zip(signals, before):
            signal.signal(number, handler)
