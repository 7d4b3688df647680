"""Names of network devices, and MAC addresses, as they can be written into the input of tools."""

from __future__ import annotations

# Characters that mean only themselves within a quoted nft string ('*' at its end would be a wildcard).
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:@+=,~^")
_ALL_DEVICES = frozenset({"all", "default"})
"""Names that stand for all devices, or for those to come, in /proc/sys/net. The kernel gives them to no device."""
NAME_SIZE = 16
"""The kernel's IFNAMSIZ, with a zero behind the name."""
_MAC_LENGTH = len("52:54:00:12:34:56")
_DIGITS = frozenset("0123456789abcdefABCDEF")


def is_safe(name: str) -> bool:
    """Return whether a device's name can be written as it is into the input of nft and ip, and a path of /proc/sys."""
    is_written = 0 < len(name) < NAME_SIZE and _CHARACTERS.issuperset(name)
    return is_written and name[0] not in "-." and name not in _ALL_DEVICES


def can_exist(name: str) -> bool:
    """Return whether the kernel allows a device of this name. Source: dev_valid_name() in net/core/dev.c."""
    is_short = 0 < len(name.encode("utf-8", "surrogateescape")) < NAME_SIZE
    return is_short and name not in {".", ".."} and not any(char in "/:" or char.isspace() for char in name)


def is_sayable(name: str) -> bool:
    """Return whether nft can write this name of a device. Its strings have no escape for a quotation mark."""
    return can_exist(name) and name.isprintable() and '"' not in name


def quoted(name: str) -> str:
    """Return a sayable name as nft takes it for this device alone: a ``*`` at its end would be a wildcard."""
    return f'"{name[:-1]}\\*"' if name.endswith("*") else f'"{name}"'


def is_mac(text: str) -> bool:
    """Return whether the text is a MAC address as libvirt and the kernel print it: six pairs of hexadecimal digits."""
    parts = text.split(":")
    return len(text) == _MAC_LENGTH and all(len(part) == 2 and _DIGITS.issuperset(part) for part in parts)
