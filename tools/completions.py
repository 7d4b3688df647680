"""Writes the completions for bash, zsh and fish from the parser, with shtab: `make completions`.

They are static files in packaging/completions, so that a completion need not start Python.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, _SubParsersAction
from pathlib import Path

import shtab

from nethook.commands.parser import build_parser

FOLDER = Path(__file__).resolve().parents[1] / "packaging" / "completions"
FILES = {"nethook": "bash", "_nethook": "zsh", "nethook.fish": "fish"}
"""The shell of each file. A shell looks for a file of this name."""
ONE_FOR_ZSH, MANY_FOR_ZSH = '"(*)::', '"*:'
"""shtab 1.13 writes repeated arguments like the first, and zsh completes only one of them; zsh needs the second."""
FILE = "FILE"
"""The metavar of arguments that are files. Other arguments cannot be completed without asking libvirt."""


def main() -> None:
    """Write the files into the folder on the command line, or into FOLDER."""
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
