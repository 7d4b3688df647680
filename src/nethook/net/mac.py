"""MAC addresses."""

from __future__ import annotations

_LENGTH = len("52:54:00:12:34:56")
_DIGITS = frozenset("0123456789abcdefABCDEF")


def is_mac(text: str) -> bool:
    """Return whether the text is a MAC address as libvirt and the kernel print it: six pairs of hexadecimal digits."""
    parts = text.split(":")
    return len(text) == _LENGTH and all(len(part) == 2 and _DIGITS.issuperset(part) for part in parts)
