"""The station of the guest, first part: is its NIC in the bridge, up and linked, and is the guest running.

A tap is known by libvirt's XML of its guest, not by libvirt's ports: these are lost when a network restarts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.config.text import some
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.host_problems import guest_problems
from nethook.install import daemon
from nethook.libvirt.details import ASLEEP, CRASHED, PAUSED
from nethook.shell import operand, operands, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.doctor.facts import AnyTarget, Facts, Target
    from nethook.libvirt.details import GuestDetails, Tap

GUEST = "guest"
MOST_NAMED = 4
RESTART_ADVICE = "it plugs running guests into their bridges again and interrupts none; see nethook restart-network"


class Trouble(NamedTuple):
    """The reason why a running guest cannot answer: ``of`` its NIC (with guest), or its guest; ``what`` is wrong."""

    of: str
    what: str
    command: str = ""
    advice: str = ""


class Nics(NamedTuple):
    """The NICs that belong on a bridge: the troubles of those that cannot answer, and whether any device can."""

    troubles: Sequence[Trouble]
    has_others: bool


def nics(facts: Facts, bridge: str, guest: str | None = None, mac: str | None = None) -> Nics:
    """Return the NICs that belong on this bridge, only those of this guest and with this MAC if they are given."""
    key = bridge, guest, mac
    if key not in facts.nics:
        facts.nics[key] = _nics(facts, bridge, guest, mac)
    return facts.nics[key]


def _nics(facts: Facts, bridge: str, guest: str | None, mac: str | None) -> Nics:
    troubles: list[Trouble] = []
    ill = set()
    for name, details in facts.details.guests.items():
        for tap in details.taps:
            if guest not in {None, name} or mac not in {None, tap.mac} or _bridge(facts, tap) != bridge:
                continue
            found = list(_troubles(facts, bridge, name, details, tap))
            troubles += found
            ill.update([tap.device] if found else [])
    return Nics(troubles, not ill.issuperset(facts.ports(bridge)))


def _bridge(facts: Facts, tap: Tap) -> str:
    """Return the bridge to which a tap belongs. libvirt's XML has that of before, if a network was defined anew."""
    live = facts.live.get(tap.network)
    return live.network.bridge if live and live.is_active else tap.bridge


def _troubles(facts: Facts, bridge: str, guest: str, details: GuestDetails, tap: Tap) -> Iterator[Trouble]:
    device = facts.devices.get(tap.device)
    if device is None:  # QEMU has just started or ended
        return
    nic = f"{tap.device} of {guest}"
    if device.get("master") != bridge:
        yield Trouble(nic, f"is not in bridge {bridge}", *_plug(facts, bridge, tap))
    if "UP" not in device.get("flags", ()):
        yield Trouble(nic, "is down", f"ip link set {word(tap.device)} up")
    if not tap.is_linked:
        command = f"virsh domif-setlink {operands(guest, tap.device)} up"
        yield Trouble(nic, "has no link, because libvirt has unplugged its cable", command)
    if details.state == PAUSED and details.is_libvirts_pause:
        yield Trouble(guest, "is paused while libvirt saves or moves it", advice="wait until libvirt has done that")
    elif details.state == PAUSED:
        advice = f"if it pauses again, see: virsh domstate --reason {operand(guest)}"
        yield Trouble(guest, "is paused", f"virsh resume {operand(guest)}", advice)
    elif details.state == ASLEEP:
        yield Trouble(guest, "is asleep", advice=f"wake it: virsh dompmwakeup {operand(guest)}")
    elif details.state == CRASHED:
        yield Trouble(guest, "has crashed", advice=f"virsh reset {operand(guest)}, or start it anew")


def _plug(facts: Facts, bridge: str, tap: Tap) -> tuple[str, str]:
    """Return the command that plugs a tap in, and advice."""
    live = facts.live.get(tap.network)
    if facts.details.can_be_plugged(tap, live.network if live else None):
        return f"ip link set {word(tap.device)} master {word(bridge)}", ""
    unit = daemon.of_guests(facts.tools)
    return (f"systemctl restart {unit}", RESTART_ADVICE) if unit else ("", "restart libvirt's daemon for guests")


def findings(troubles: Iterable[Trouble], verdict: str, names: Sequence[str], ending: str = "") -> Iterator[Finding]:
    """Yield the troubles, those with one repair as one finding; ``ending`` ends each sentence."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for trouble in troubles:
        groups.setdefault(trouble[1:], []).append(trouble.of)
    for (what, command, advice), every in groups.items():
        of = list(dict.fromkeys(every))
        named = some(of, MOST_NAMED)
        kind = "NIC" if " of " in of[0] else "guest"
        text = f"{kind} {named} {what}" if len(of) == 1 else f"{kind}s {named}: each {what}"
        yield Finding(verdict, GUEST, text + ending, command=command, advice=advice, addresses=names)


def plugged(facts: Facts, target: Target) -> Iterator[Finding]:
    """Yield whether a guest can answer on the bridge or, for a bound line, whether the NIC of its guest can."""
    line = target.line
    if line.guest:
        found = nics(facts, target.bridge, line.guest, line.mac)
        if found.troubles:
            yield from findings(found.troubles, FAILURE, [target.name])
        else:
            yield from _bound(facts, target)
    else:
        yield from somebody(facts, target, line.network)


def somebody(facts: Facts, target: AnyTarget, network: str) -> Iterator[Finding]:
    """Yield a failure if no guest on the bridge can answer, and a warning if one of several cannot."""
    found = nics(facts, target.bridge)
    if not found.has_others and found.troubles:
        yield from findings(found.troubles, FAILURE, [target.name])
    elif not facts.ports(target.bridge):
        off = [name for name, guest in (facts.guests or {}).items() if guest.macs_on(network) and not guest.is_running]
        text = f"no guest is plugged into network {network}"
        command = f"virsh start {operand(off[0])}" if len(off) == 1 else ""
        which = f": {some(off, MOST_NAMED)}" if off else ""
        advice = "" if command else f"start the guest that has the address{which}"
        yield Finding(FAILURE, GUEST, text, command=command, advice=advice, addresses=[target.name])
    elif found.troubles and not target.link_address:  # of an address, the answer tells
        yield from findings(found.troubles, WARNING, [target.name], "; addresses that it has do not answer")


def _bound(facts: Facts, target: Target) -> Iterator[Finding]:
    line = target.line
    macs = facts.live[line.network].network.ports.of(line.guest, line.mac)
    name = f"guest {line.guest}" + (f" with NIC {line.mac}" if line.mac else "")
    if not macs:
        yield from _not_plugged(facts, target, name)
    elif len(macs) > 1:
        text = f"{name} has {len(macs)} NICs on network {line.network}; nethook picks one of them"
        advice = f"write mac={' or mac='.join(macs)} at {line.place}"
        yield Finding(WARNING, GUEST, text, advice=advice, addresses=[target.name])
    else:
        yield Finding(OK, GUEST, f"{name} is plugged in, with NIC {macs[0]}", addresses=[target.name])


def _not_plugged(facts: Facts, target: Target, name: str) -> Iterator[Finding]:
    """Yield why the NIC of a bound line is missing: its guest is off, or the line does not fit the guest."""
    line = target.line
    guest = line.guest or ""
    guests = facts.guests or {}
    text = f"{name}, to which it is bound, is not plugged into network {line.network}"
    known = guests.get(guest)
    if known and any(line.mac in {None, mac} for mac in known.macs_on(line.network)):
        if known.is_running:  # libvirt has lost its port when the network restarted
            unit = daemon.of_guests(facts.tools)
            command, advice = f"systemctl restart {unit}" if unit else "", RESTART_ADVICE
        else:
            command, advice = f"virsh start {operand(guest)}", ""
        yield Finding(FAILURE, GUEST, text, command=command, advice=advice, addresses=[target.name])
        return
    problems = list(guest_problems(line, facts.guests, facts.live))
    for problem in problems:
        wrong = f"{problem.place}: {problem.what}"
        yield Finding(FAILURE, GUEST, wrong, advice=problem.advice, addresses=[target.name])
    if not problems:
        advice = f"start it, or write another guest at {line.place}"
        yield Finding(FAILURE, GUEST, text, advice=advice, addresses=[target.name])
