"""Network devices by name."""

from __future__ import annotations

from _socket import if_indextoname, if_nametoindex


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
