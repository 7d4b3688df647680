"""The command ``nethook``: one of its verbs is run, and errors become a sentence on stderr and an exit status."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from nethook.config.problem import one_line
from nethook.errors import ConfigError, NethookError
from nethook.exit_status import DEFECT, DIFFERENT, INTERRUPTED, UNKNOWN
from nethook.parser import build_parser
from nethook.terminal import show_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb that these arguments (default: the process's) name. Returns the exit status."""
    for stream in (sys.stdout, sys.stderr):  # line by line, so that both are in order where they go to one file
        stream.reconfigure(errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    options = build_parser().parse_args(arguments)
    try:
        status = _run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough, as `nethook status | head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DIFFERENT
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _run(options: Namespace) -> int:
    try:
        status: int = import_module(f"nethook.commands.{options.verb.replace('-', '_')}").run(options)
        return status
    except NethookError as error:
        if options.debug:
            raise
        if isinstance(error, ConfigError):
            show_problems(error.problems, sys.stderr)
        else:
            print(f"nethook: {one_line(str(error))}", file=sys.stderr)
        return UNKNOWN
    except OSError as error:
        if options.debug or isinstance(error, BrokenPipeError):
            raise
        print(f"nethook: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        return UNKNOWN
    except Exception as error:
        if options.debug:
            raise
        print(
            f"nethook: defect in nethook: {type(error).__name__}: {error}\n"
            f"Please report it with what `nethook {options.verb} --debug` prints.",
            file=sys.stderr,
        )
        return DEFECT
