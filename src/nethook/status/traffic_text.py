"""Traffic as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple

if TYPE_CHECKING:
    from nethook.host.traffic import Traffic

UNITS = ("", "k", "M", "G", "T", "P", "E")
STEP = 1000


class Notation(NamedTuple):
    """A notation for traffic, and its explanation."""

    text: Callable[[Traffic], str]
    legend: str


def human(number: float) -> str:
    """Return a number in at most four characters and a unit."""
    for unit in UNITS[:-1]:
        if number < STEP:
            return f"{number:.1f}{unit}" if unit and number < 10 else f"{number:.0f}{unit}"
        number /= STEP
    return f"{number:.0f}{UNITS[-1]}"


def _counted(traffic: Traffic) -> str:
    return f"{human(traffic.packets)} {human(traffic.bytes)}B"


def _per_second(rate: Traffic) -> str:
    return f"{human(rate.packets)}/s {human(rate.bytes * 8)}b/s"


COUNTS = Notation(_counted, "packets, bytes")
"""Since the address is routed."""
RATES = Notation(_per_second, "packets and bits per second")
"""As network people count."""
