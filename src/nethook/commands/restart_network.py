"""``nethook restart-network``: restart a network of libvirt under its running guests, and plug these in again.

When a network stops, libvirt deletes its bridge. The taps of running guests stay, but outside of the new bridge. The
daemon that runs the guests plugs them in again when it starts (qemuProcessNotifyNets in libvirt's
src/qemu/qemu_process.c): libvirtd, or virtqemud where the daemons are modular.
"""

from __future__ import annotations

import sys
import time
from threading import Thread
from typing import TYPE_CHECKING

from nethook.commands.report import report
from nethook.config import load
from nethook.config.text import one_line, suggestion
from nethook.engine.cycle import cycle
from nethook.engine.situation import limited_host, require_root, situation
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.install import daemon, systemd
from nethook.install.task import patient_host
from nethook.libvirt import XML, control, read_network
from nethook.libvirt.network_update import LIVE, difference
from nethook.shell import operand
from nethook.terminal import can_ask, confirm
from nethook.watch.plugs import plug

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping, Sequence

    from nethook.engine.run import Outcome
    from nethook.host import Host
    from nethook.libvirt import Network
    from nethook.libvirt.control import Definition, PluggedNic

INTERVAL = 0.02
HURRY = 5.0
"""A daemon that hangs while it stops (libvirtd 11.3 does at times, for 30 s) shall not keep guests off for longer."""
PATIENCE = 20.0
"""For the daemon to plug guests in, once it answers."""


def run(options: Namespace) -> int:
    """Print what a restart is needed for and whom it interrupts. Restart after a yes. Return the exit status."""
    require_root("restart a network")
    found = _found(options.network)
    host = patient_host()
    restart = _Restart(host, found, _daemon(host))
    question, is_needed = _explain(found)
    for line in restart.interrupts():
        print(line)
    if options.dry_run:
        return DIFFERENT if is_needed or restart.has_unplugged else OK
    if not options.yes and not confirm(question):
        print(f"nethook: nothing was changed{'' if can_ask() else '; use --yes to restart it'}", file=sys.stderr)
        return DIFFERENT
    return restart.run()


def _found(name: str) -> Definition:
    found = control.definition(name)
    if found is None:
        raise NethookError(f"libvirt has no network {one_line(name)}; {suggestion(name, sorted(control.names()))}")
    if not found.defined:
        raise NethookError(f"network {name} is transient: libvirt would forget it; define it first: virsh net-define")
    if not _network_of(found.defined).is_libvirts_own:
        what = f"network {name} has no bridge that libvirt makes, so its guests stay plugged in"
        raise NethookError(f"{what}: run virsh net-destroy {operand(name)} && virsh net-start {operand(name)}")
    return found


def _daemon(host: Host) -> str:
    """Return the unit of the daemon that runs the guests. NethookError if systemd does not know it."""
    unit = daemon.of_guests(host)
    if not unit:
        raise NethookError(
            "neither libvirtd nor virtqemud is a running unit of systemd, so nobody would plug guests in"
        )
    return unit


def _explain(found: Definition) -> tuple[str, bool]:
    """Print what a restart is needed for. Return the question to ask, and whether it is needed."""
    again = f"Restart network {found.name}?"
    if not found.running:
        print(f"Network {found.name} is not running.")
        return f"Start network {found.name}?", True
    updates, rest = difference(found.running, found.defined)
    if rest:
        names = ", ".join(f"<{name}>" for name in rest)
        print(f"Network {found.name} takes a restart to run as it is defined: {names} differs.")
        return again, True
    if not updates:
        print(f"Network {found.name} already runs as it is defined.")
        return again, False
    print(f"Network {found.name} needs no restart. These commands change it while it runs:")
    for update in updates:
        print(f"  {update.virsh(found.name, LIVE)}")
    return f"Restart network {found.name} all the same?", False


def _network_of(xml: str) -> Network:
    source = "libvirt's XML of the network"
    return read_network(XML(xml.encode(), source), source).network


class _Restart:
    """One restart: the taps that were on the network's bridge or belong there, and since when they are off it."""

    def __init__(self, host: Host, found: Definition, unit: str) -> None:
        self._host = host
        self._found = found
        self._daemon = unit
        bridge = _network_of(found.running).bridge if found.running else ""
        members = _members(host, bridge)
        nics = control.nics()
        self._nics = [nic for nic in nics if nic.tap in members or nic.network == found.name]
        self._others = sorted(members - {nic.tap for nic in nics})
        self._unplugged_already = {nic.tap for nic in self._nics} - members
        everybody = "isolated='yes'" in found.defined
        self._isolated = {nic.tap for nic in self._nics if everybody or nic.is_isolated}
        """Taps that must not be on the bridge before libvirt keeps other guests from them."""
        self._status = OK

    @property
    def has_unplugged(self) -> bool:
        """True if running guests are not plugged in, which a restart repairs."""
        return bool(self._unplugged_already)

    def interrupts(self) -> Iterable[str]:
        """Yield a line for each guest and device that a restart takes off the network."""
        plugged = [nic for nic in self._nics if nic.tap not in self._unplugged_already]
        if not plugged and not self._others:
            yield "No running guest is plugged into it."
        if plugged:
            yield "A restart interrupts these guests for some seconds. They go on running:"
        yield from (f"  {_title(nic)}" for nic in plugged)
        if self._others:
            yield f"It also takes these devices off the bridge for a moment: {', '.join(self._others)}"
        if self._unplugged_already:
            yield "These running guests are not plugged in now. They will be:"
        yield from (f"  {_title(nic)}" for nic in self._nics if nic.tap in self._unplugged_already)

    def run(self) -> int:
        """Do it, and return the exit status. NethookError only as long as the network was not stopped."""
        name, began = self._found.name, time.monotonic()
        if self._found.running:
            control.stop(name)
        left = f"network {name} is stopped, and its guests cannot be reached"
        try:
            self._start()
            left = "not all of its guests may be plugged in"
            self._plug_all(began)
        except NethookError as error:
            self._fail(f"{error}; {left}. When that is corrected, run: nethook restart-network {operand(name)}")
            return self._status
        self._put_in_force()
        return self._status

    def _plug_all(self, began: float) -> None:
        """Have all guests and devices plugged in again, and say for how long they were off since ``began``."""
        bridge = _network_of(self._now().running).bridge
        self._plug(bridge, [device for device in self._others if self._host.number_of(device)])
        taps = {nic.tap for nic in self._nics}
        back = self._restart_daemon(bridge, taps) if taps else {}
        left = [tap for tap in sorted(taps - back.keys()) if self._host.number_of(tap)]
        if left:
            self._plug(bridge, left)
            self._fail(f"{self._daemon} has not plugged in {', '.join(left)}; nethook has, on {bridge}")
        now = time.monotonic()
        for nic in self._nics:
            if nic.tap in self._unplugged_already:
                print(f"{_title(nic)}: plugged in")
            elif nic.tap in back or nic.tap in left:
                print(f"{_title(nic)}: was off for {back.get(nic.tap, now) - began:.1f} s")
            else:
                print(f"{_title(nic)}: has stopped meanwhile")

    def _start(self) -> None:
        """Start the network; as it was, if it does not start as it is defined."""
        name = self._found.name
        try:
            control.start(name)
        except NethookError as error:
            if not self._found.running:
                raise
            self._fail(f"{error}; the network starts as it was before")
            control.start_as(name, self._found.running)
            print(f"network {name} runs as it was before; correct it: virsh net-edit {operand(name)}")
        else:
            print(f"network {name} runs as it is defined")

    def _put_in_force(self) -> None:
        """Look at the network as its events do: a busy daemon tells of its guests long after it answers."""
        try:
            cycle(lambda: situation(load(limited_host()), [self._found.name]), self._tell)
        except NethookError as error:
            self._fail(str(error))

    def _tell(self, outcome: Outcome) -> None:
        self._status = report(outcome, "restart-network", "") or self._status

    def _now(self) -> Definition:
        return _found(self._found.name)

    def _restart_daemon(self, bridge: str, taps: set[str]) -> Mapping[str, float]:
        """Have the daemon start anew. Return when each tap was on the bridge, in monotonic seconds."""
        failures: list[NethookError] = []

        def restart() -> None:
            try:
                systemd.restart(self._host, self._daemon).run()
                control.names()  # it answers
            except NethookError as error:
                failures.append(error)

        thread = Thread(target=restart)
        thread.start()
        back: dict[str, float] = {}
        until, hurry = None, time.monotonic() + HURRY
        # The daemon plugs guests in a moment after it has begun to answer. One may stop meanwhile.
        while not all(tap in back or not self._host.number_of(tap) for tap in taps):
            thread.join(INTERVAL)
            if time.monotonic() > hurry:
                hurry = float("inf")
                self._plug(bridge, sorted(taps - back.keys() - self._isolated))
            if until is None and not thread.is_alive():
                until = time.monotonic() + (0 if failures else PATIENCE)
            back.update(dict.fromkeys(taps & _members(self._host, bridge) - back.keys(), time.monotonic()))
            if until is not None and time.monotonic() > until:
                break
        thread.join()
        for error in failures:
            self._fail(str(error))
        return back

    def _plug(self, bridge: str, devices: Sequence[str]) -> None:
        """Put these devices onto the bridge."""
        for failure in plug(devices, bridge, self._host):
            self._fail(failure)

    def _fail(self, text: str) -> None:
        print(f"nethook: {one_line(text)}", file=sys.stderr)
        self._status = DIFFERENT


def _members(host: Host, bridge: str) -> set[str]:
    """Return the devices on this bridge."""
    links = host.links()
    numbers = {link.number for link in links if link.name == bridge}
    return {link.name for link in links if link.master in numbers}


def _title(nic: PluggedNic) -> str:
    return f"guest {one_line(nic.guest)} ({nic.tap}, {nic.mac})"
