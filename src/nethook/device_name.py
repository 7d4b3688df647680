"""Names of network devices, as they can be written into the input of tools."""

from __future__ import annotations

# Characters that mean only themselves within a quoted nft string ('*' at its end would be a wildcard).
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:@+=,~^")


def is_safe(name: str) -> bool:
    """Whether a device's name can be written into the input of nft and ip as it is."""
    return 0 < len(name) < 16 and _CHARACTERS.issuperset(name) and name[0] not in "-."
