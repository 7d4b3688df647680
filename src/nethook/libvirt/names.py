"""Names in lines that libvirt does not have: networks and guests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.text import excerpt, suggestion
from nethook.libvirt.live import live_guests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nethook.config import RoutedIP
    from nethook.config.text import Problem
    from nethook.libvirt.live import LiveGuest, LiveNetwork


def unresolved(lines: Iterable[RoutedIP], live: Mapping[str, LiveNetwork]) -> list[tuple[RoutedIP, Problem | None]]:
    """Return the lines whose network or guest libvirt does not have, each with its problem.

    The problem is None if libvirt could not be asked.
    """
    found: list[tuple[RoutedIP, Problem | None]] = []
    absent = []
    for line in lines:
        if line.network not in live:
            found.append((line, no_such_network(line, live)))
        elif line.guest and not live[line.network].network.ports.of(line.guest, None):
            absent.append(line)
    guests = live_guests() if absent else None
    for line in absent:
        if guests is None:
            found.append((line, None))
        elif line.guest not in guests:
            found.append((line, no_such_guest(line, guests)))
    return found


def no_such_network(line: RoutedIP, live: Mapping[str, LiveNetwork]) -> Problem:
    """Return the problem of a line whose network libvirt does not know."""
    advice = suggestion(line.network, sorted(live)) if live else "define it with virsh net-define"
    return line.problem_of_network(f"libvirt has no network {excerpt(line.network)}", advice)


def no_such_guest(line: RoutedIP, guests: Mapping[str, LiveGuest]) -> Problem:
    """Return the problem of a line whose guest libvirt does not know."""
    advice = suggestion(line.guest or "", sorted(guests)) if guests else "define it first, or write another guest"
    return line.problem_of_option("guest", f"libvirt has no guest {excerpt(line.guest or '')}", advice)
