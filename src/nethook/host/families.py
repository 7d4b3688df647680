"""The IP families that the kernel has. IPv6 may be missing as a whole: ``ipv6.disable=1``, or a kernel without it."""

from __future__ import annotations

import os

IPV6 = "/proc/sys/net/ipv6/conf"
NO_IPV6 = "this kernel has no IPv6"
NO_IPV6_ADVICE = "remove ipv6.disable=1 from the kernel's command line and boot anew, or remove the lines with IPv6"


def available() -> tuple[int, ...]:
    """Return 4 and 6, or 4 alone."""
    return (4, 6) if os.path.isdir(IPV6) else (4,)


def has_ipv6(device: str) -> bool:
    """Return whether the device has IPv6, on or off: none has that takes no packets of 1280 bytes (RFC 8200)."""
    return os.path.isdir(f"{IPV6}/{device}")
