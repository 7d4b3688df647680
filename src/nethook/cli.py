"""The command ``nethook``: one of its verbs is run, and errors become a sentence on stderr and an exit status."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from nethook.commands.parser import build_parser
from nethook.config.problem import one_line
from nethook.errors import ConfigError, NethookError
from nethook.exit_status import DEFECT, DIFFERENT, INTERRUPTED, UNKNOWN
from nethook.terminal import show_problems
from nethook.terminal.output import lasting_streams

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb that these arguments (default: the process's) name. Returns the exit status."""
    with lasting_streams() as streams:
        options = build_parser().parse_args(arguments)
        try:
            status = _run(options)
        except KeyboardInterrupt:
            return INTERRUPTED
        sys.stdout.flush()
        lost = [stream.error for stream in streams if stream.error]
        for error in lost:
            if not isinstance(error, BrokenPipeError):  # whoever reads has seen enough, as `nethook status | head` has
                print(f"nethook: what was printed is lost: {error.strerror}", file=sys.stderr)
        return (status or DIFFERENT) if lost else status


def _run(options: Namespace) -> int:
    try:
        status: int = import_module(f"nethook.commands.{options.verb.replace('-', '_')}").run(options)
        return status
    except Exception as error:
        if options.debug:
            from traceback import print_exc  # noqa: PLC0415 - seldom needed

            print_exc()
        return _told(error, options.verb)


def _told(error: Exception, verb: str) -> int:
    """Say what went wrong. Returns the exit status."""
    if isinstance(error, ConfigError):
        show_problems(error.problems, sys.stderr)
    elif isinstance(error, NethookError):
        print(f"nethook: {one_line(str(error))}", file=sys.stderr)
    elif isinstance(error, PermissionError) and error.filename and os.geteuid() != 0:
        print(f"nethook: only root may look at {error.filename}: try it with sudo", file=sys.stderr)
    elif isinstance(error, OSError):
        print(f"nethook: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
    else:
        print(
            f"nethook: defect in nethook: {type(error).__name__}: {error}\n"
            f"Please report it with what `nethook {verb} --debug` prints.",
            file=sys.stderr,
        )
        return DEFECT
    return UNKNOWN
