"""Words of a shell's command line, for commands that people paste."""

from __future__ import annotations

from shlex import quote


def word(text: str) -> str:
    """Return the text as one word for bash, zsh and others, without characters that could control the terminal.

    Such characters are escaped in the quotes of POSIX 2024: $'…'.
    """
    if text.isprintable():
        return quote(text)
    escaped = "".join(_escaped(char) for char in text)
    return f"$'{escaped}'"


def _escaped(char: str) -> str:
    if char in "\\'":
        return f"\\{char}"
    if char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))
