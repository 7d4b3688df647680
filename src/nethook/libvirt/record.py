"""The networks that libvirt has told of and that are up, kept in a file: bridge and forward mode, a line each.

Our table in the kernel holds it too, as long as nobody deletes that (``nft flush ruleset`` does). Afterwards only
libvirt could tell, and a hook must not ask. Without it, guests of isolated networks would reach routed IPs until
libvirt speaks of their networks again. Whoever reads or writes it holds the lock.
"""

from __future__ import annotations

import os

FILE = "/run/nethook/networks"


def read() -> dict[str, str]:
    """The recorded forward modes, by bridge; OSError if the file is there and cannot be read."""
    try:
        with open(FILE, encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip("\n").partition(" ") for line in file]
    except FileNotFoundError:
        return {}
    return {bridge: mode for bridge, _, mode in lines}


def write(modes: dict[str, str]) -> None:
    """Record these, in one step; OSError if that is not possible."""
    beside = f"{FILE}.new"
    with open(beside, "w", encoding="utf-8") as file:
        file.writelines(f"{bridge} {mode}\n" for bridge, mode in modes.items())
    os.replace(beside, FILE)
