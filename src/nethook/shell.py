"""Words of a shell's command line, for commands that people paste."""

from __future__ import annotations

from shlex import quote, split

AND = "&&"
"""Runs the next command if the one before it succeeds."""


def word(text: str) -> str:
    """Return the text as one word for bash, zsh and others, without characters that could control the terminal.

    Such characters are escaped in the quotes of POSIX 2024: $'…'.
    """
    if text.isprintable():
        return quote(text)
    escaped = "".join(_escaped(char) for char in text)
    return f"$'{escaped}'"


def operands(*texts: str) -> str:
    """Return the texts as operands of a program that takes ``--`` for the end of its options, such as virsh.

    Options have to stand before them.
    """
    end = "-- " if any(text.startswith("-") for text in texts) else ""
    return end + " ".join(map(word, texts))


def operand(text: str) -> str:
    """Return the text as the only operand."""
    return operands(text)


def argument_lists(command: str) -> list[list[str]]:
    """Return the commands of a command line, each with its arguments, for a program that runs them one after the other.

    Return none if the line needs a shell for more than ``&&``. What is returned means the same as the line: written as
    ``word`` writes it, it is the line again.
    """
    lists: list[list[str]] = [[]]
    try:
        words = split(command)
    except ValueError:
        return []
    for each in words:
        if each == AND:
            lists.append([])
        else:
            lists[-1].append(each)
    again = f" {AND} ".join(" ".join(map(word, each)) for each in lists)
    return lists if all(lists) and again == command else []


def _escaped(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    if char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))
