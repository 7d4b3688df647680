"""The setting proxy_ndp of uplinks, without which the kernel does not look at its proxy entries for IPv6.

It is turned on with the first entry of ours on an uplink, and off again behind the last, where it was off.

https://docs.kernel.org/networking/ip-sysctl.html
"""

from __future__ import annotations

import os

from nethook.errors import ReadError
from nethook.host import recorded

FILE = "/run/nethook/proxy_ndp"
"""The uplinks on which we have turned it on, a line each: that, the kernel cannot tell."""


def path(uplink: str) -> str:
    """Where the setting is."""
    return f"/proc/sys/net/ipv6/conf/{uplink}/proxy_ndp"


def is_off(uplink: str) -> bool:
    """Return whether it is off; False where there is no such uplink, which then will be said. ReadError."""
    try:
        with open(path(uplink), encoding="ascii") as file:
            return file.read().strip() == "0"
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ReadError(f"cannot read {path(uplink)}: {error.strerror}") from None


def turned_on() -> set[str]:
    """The uplinks on which we have turned it on. OSError if that is not known."""
    return set(recorded.read(FILE).split())


def turn(uplink: str, *, on: bool) -> None:
    """Turn it on or off, and remember that; OSError if that fails."""
    uplinks = turned_on()
    if on:  # first, so that what we turn on is never taken for somebody else's doing
        _record(uplinks | {uplink})
    if on or os.path.exists(path(uplink)):
        with open(path(uplink), "w", encoding="ascii") as file:
            file.write("1" if on else "0")
    if not on:
        _record(uplinks - {uplink})


def _record(uplinks: set[str]) -> None:
    recorded.write(FILE, "".join(f"{name}\n" for name in sorted(uplinks)))
