"""Network devices by name."""

from __future__ import annotations

from _socket import if_indextoname, if_nametoindex

# Characters that mean only themselves within a quoted nft string ('*' at its end would be a wildcard).
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:@+=,~^")


def is_safe(name: str) -> bool:
    """Whether a device's name can be written into the input of nft and ip as it is."""
    return 0 < len(name) < 16 and _CHARACTERS.issuperset(name) and name[0] not in "-."


def exists(name: str) -> bool:
    """Whether there is such a device in this network namespace."""
    try:
        return if_nametoindex(name) > 0
    except OSError:
        return False


def name_of(index: int) -> str:
    """The name of the device with this number, '' if it has gone."""
    try:
        return if_indextoname(index)
    except OSError:
        return ""
