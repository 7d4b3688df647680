"""Names of network devices, as they can be written into the input of tools."""

from __future__ import annotations

# Characters that mean only themselves within a quoted nft string ('*' at its end would be a wildcard).
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:@+=,~^")


_ALL_DEVICES = frozenset({"all", "default"})
"""What stands for all devices, or for those to come, in /proc/sys/net, where the kernel lets no device be called so."""


def is_safe(name: str) -> bool:
    """Return whether a device's name can be written as it is into the input of nft and ip, and a path of /proc/sys."""
    return 0 < len(name) < 16 and _CHARACTERS.issuperset(name) and name[0] not in "-." and name not in _ALL_DEVICES
