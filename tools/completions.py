"""Writes the completions for bash, zsh and fish anew, from the parser, with shtab: `make completions`.

What it writes is kept in packaging/completions: static files, so that completing costs no start of Python.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, _SubParsersAction
from pathlib import Path

import shtab

from nethook.commands.parser import build_parser

FOLDER = Path(__file__).resolve().parents[1] / "packaging" / "completions"
FILES = {"nethook": "bash", "_nethook": "zsh", "nethook.fish": "fish"}
"""The shell of each file, whose name is the one that its shell looks for."""
ONE_FOR_ZSH, MANY_FOR_ZSH = '"(*)::', '"*:'
"""How shtab 1.13 writes arguments of any number, of which zsh then completes the first, and how zsh has them."""
FILE = "FILE"
"""The metavar of arguments that are files; nothing else can be completed without asking somebody."""


def main() -> None:
    """Write the files into the folder on the command line, or where they are kept."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    parser = build_parser()
    _complete_files(parser)
    for name, shell in FILES.items():
        text = shtab.complete(parser, shell=shell).replace(ONE_FOR_ZSH, MANY_FOR_ZSH)
        (folder / name).write_text(f"{text.rstrip()}\n", encoding="utf-8")


def _complete_files(parser: ArgumentParser) -> None:
    """Tell shtab which arguments are files, in the parser and those of its verbs."""
    for action in parser._actions:  # argparse has no public way
        if action.metavar == FILE:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        if isinstance(action, _SubParsersAction):
            for verb in action.choices.values():
                _complete_files(verb)


if __name__ == "__main__":
    main()
