"""Network devices by name."""

from __future__ import annotations

from _socket import if_indextoname, if_nametoindex

from nethook.host.families import available, has_ipv6

NAME_SIZE = 16
"""The kernel's IFNAMSIZ, with a zero behind the name."""


def exists(name: str) -> bool:
    """Whether there is such a device in this network namespace."""
    try:
        return if_nametoindex(name) > 0
    except OSError:
        return False


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


def why_refused(name: str, address: str, said: str) -> str:
    """Return why the kernel refused an address or route on this device, in words that tell what to do; '' if unknown.

    ``said`` is what the kernel said.
    """
    if said.endswith("is not up"):
        return f"{name} is down: run `ip link set {name} up`, then `nethook apply`"
    if ":" in address and exists(name) and 6 in available() and not has_ipv6(name):
        return f"{name} has no IPv6, because its MTU is below 1280 bytes: set a larger one, then run `nethook apply`"
    return ""


def name_of(index: int) -> str:
    """The name of the device with this number, '' if it has gone."""
    try:
        return if_indextoname(index)
    except OSError:
        return ""
