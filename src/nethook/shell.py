"""Words of a shell's command line, in commands that people are to paste."""

from __future__ import annotations

from shlex import quote


def word(text: str) -> str:
    """Return the text as one word for bash, zsh and others, in which nothing can act on the terminal that shows it.

    What is not printable is escaped, in the quotes that POSIX has since 2024: $'…'.
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
