"""Names in lines that libvirt does not have, and guests whose NICs a line does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.text import excerpt, suggestion
from nethook.libvirt.live import live_guests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nethook.config.text import Entry, Problem
    from nethook.libvirt.live import LiveGuest, LiveNetwork


def unresolved(
    lines: Iterable[Entry],
    live: Mapping[str, LiveNetwork],
    ask: Callable[[], dict[str, LiveGuest] | None] | None = None,
) -> tuple[list[tuple[Entry, Problem | None]], list[tuple[Entry, Problem]]]:
    """Return the lines whose network or guest libvirt does not have, each with its problem, and what else does not fit.

    The problem is None if libvirt could not be asked. What does not fit are guests without a NIC for their line, which
    may get one. ``ask`` returns libvirt's guests; default: ``live_guests``.
    """
    found: list[tuple[Entry, Problem | None]] = []
    misfits = []
    absent = []
    for line in lines:
        if line.is_hosts:
            continue
        if line.network not in live:
            found.append((line, no_such_network(line, live)))
        elif line.guest and not live[line.network].network.ports.of(line.guest, None):
            absent.append(line)
    guests = (ask or live_guests)() if absent else None
    for line in absent:
        if guests is None:
            found.append((line, None))
        elif line.guest not in guests:
            found.append((line, no_such_guest(line, guests)))
        elif problem := misfit(line, guests[line.guest]):
            misfits.append((line, problem))
    return found, misfits


def no_such_network(line: Entry, live: Mapping[str, LiveNetwork]) -> Problem:
    """Return the problem of a line whose network libvirt does not know."""
    advice = suggestion(line.network, sorted(live)) if live else "define it with virsh net-define"
    return line.problem_of_network(f"libvirt has no network {excerpt(line.network)}", advice)


def misfit(line: Entry, guest: LiveGuest) -> Problem | None:
    """Return the problem of a bound line that fits no NIC of its guest; None if it fits one."""
    macs = guest.macs_on(line.network)
    where = f"guest {excerpt(line.guest or '')} has {{}} on network {excerpt(line.network)}"
    if not macs:
        networks = sorted({network for network, _ in guest.nics})
        advice = f"it has NICs on: {', '.join(networks)}" if networks else "add one with virsh attach-interface"
        return line.problem_of_option("guest", where.format("no NIC"), advice)
    if line.mac and line.mac not in macs:
        return line.problem_of_option("mac", where.format(f"no NIC {line.mac}"), f"write mac={' or mac='.join(macs)}")
    return None


def no_such_guest(line: Entry, guests: Mapping[str, LiveGuest]) -> Problem:
    """Return the problem of a line whose guest libvirt does not know."""
    advice = suggestion(line.guest or "", sorted(guests)) if guests else "define it first, or write another guest"
    return line.problem_of_option("guest", f"libvirt has no guest {excerpt(line.guest or '')}", advice)
