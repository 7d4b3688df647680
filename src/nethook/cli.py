"""The command ``nethook``: runs one of its verbs, and turns errors into a sentence on stderr and an exit status."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING

from nethook.commands.parser import build_parser
from nethook.config.text import one_line
from nethook.errors import ConfigError, NethookError
from nethook.exit_status import DEFECT, DIFFERENT, INTERRUPTED, UNKNOWN
from nethook.terminal import show_problems
from nethook.terminal.output import lasting_streams

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb in these arguments (default: those of the process), and return the exit status."""
    with lasting_streams() as streams:
        parser = build_parser()
        options = parser.parse_args(arguments)
        if options.verb is None:
            parser.print_help(sys.stderr)
            return UNKNOWN
        try:
            status = _run(options)
        except KeyboardInterrupt:
            return INTERRUPTED
        sys.stdout.flush()
        lost = [stream.error for stream in streams if stream.error]
        for error in lost:
            if not isinstance(error, BrokenPipeError):  # the reader has seen enough, as in `nethook status | head`
                print(f"nethook: the output could not be written: {error.strerror}", file=sys.stderr)
        return (status or DIFFERENT) if lost else status


def _run(options: Namespace) -> int:
    try:
        module = options.verb.replace("-", "_") + "_" * iskeyword(options.verb)
        status: int = import_module(f"nethook.commands.{module}").run(options)
        return status
    except Exception as error:
        if options.debug:
            from traceback import print_exc  # noqa: PLC0415 - seldom needed

            print_exc()
        return _report_error(error, options.verb)


def _report_error(error: Exception, verb: str) -> int:
    """Print the error, and return the exit status."""
    if isinstance(error, ConfigError):
        show_problems(error.problems, sys.stderr)
    elif isinstance(error, NethookError):
        print(f"nethook: {one_line(str(error))}", file=sys.stderr)
    elif isinstance(error, PermissionError) and error.filename and os.geteuid() != 0:
        print(f"nethook: only root may read {error.filename}: try it with sudo", file=sys.stderr)
    elif isinstance(error, OSError):
        print(f"nethook: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
    else:
        print(
            f"nethook: defect in nethook: {type(error).__name__}: {error}\n"
            f"Please report it with the output of `nethook {verb} --debug`.",
            file=sys.stderr,
        )
        return DEFECT
    return UNKNOWN
