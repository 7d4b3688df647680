"""The entry point that libvirt runs: one event in, the kernel as it should be out.

libvirt holds the network locked until this ends, without a time-out, and a failure would keep the network or guest from
starting. So: all of standard input is read, every wait is bounded, libvirt is never called, and the exit status is 0
whatever happened. What went wrong is in syslog.
"""

from __future__ import annotations

import sys

from nethook import device_name, log
from nethook.config import load
from nethook.errors import ConfigError, NethookError
from nethook.kernel import device
from nethook.kernel.bridges import bridges
from nethook.kernel.guest_bridges import protect
from nethook.kernel.process import Tools
from nethook.libvirt import record
from nethook.libvirt.event import parse_event
from nethook.libvirt.network import ISOLATED, Network
from nethook.lock import Locked
from nethook.reconcile import reconcile
from nethook.scope import scope_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.libvirt.event import Event
    from nethook.libvirt.record import Record

SECONDS = 8.0
"""For everything together; the stub ends us after 10."""


def main(arguments: Sequence[str]) -> None:
    """Handle the event that libvirt's four arguments and standard input describe."""
    log.open_log()
    try:
        event = parse_event(arguments, sys.stdin.buffer.read())
        if event:
            _handle(event)
    except ConfigError as error:
        log.errors(str(problem) for problem in error.problems)
        log.errors([f"network {arguments[0]} {arguments[1]}: nothing was changed, because of these files"])
    except NethookError as error:
        log.errors([f"network {arguments[0]} {arguments[1]}: {error}"])
    except Exception as error:  # the guest must start; a defect of ours is reported, not passed on
        log.errors([f"network {arguments[0]} {arguments[1]}: defect in nethook: {_where(error)}"])


def _handle(event: Event) -> None:
    network = event.network
    reason = f"network {network.name} {event.operation}"
    told = _record(event, reason)
    if not network.bridge:
        if event.is_up:
            log.info(
                [f"{reason}: it has no bridge (forward mode {network.forward_mode}), so nothing can be routed to it"]
            )
        return
    is_usable = device_name.is_safe(network.bridge)
    tools = Tools(SECONDS)
    configuration = load()
    with Locked():
        if not configuration.is_current:
            configuration = load()
        up = [network] if event.is_up and is_usable and device.exists(network.bridge) else []
        known = [*told.up.values(), *_unknown(told)]
        outcome = reconcile(configuration, up, scope_of([network], configuration.routed_ips, known), tools)
    outcome.finish(tools)
    if not is_usable and any(routed.network == network.name for routed in configuration.routed_ips):
        outcome.failures.append(f"its bridge has a name that cannot be used in rules and routes: {network.bridge!r}")
    log.errors(str(problem) for problem in configuration.problems)
    log.info(f"{effect} [{reason}]" for effect in outcome.done)
    log.errors(f"{reason}: {failure}" for failure in outcome.failures)


def _record(event: Event, reason: str) -> Record:
    """Record what libvirt tells, and have our table know the bridges with guests: before anything else can fail."""
    told, failure = record.tell(event)
    failures = [failure] if failure else []
    try:
        protect([(network.bridge, network.is_isolated) for network in told.up.values() if network.is_libvirts_own])
    except NethookError as error:
        failures.append(str(error))
    log.errors(f"{reason}: {failure}" for failure in failures)
    return told


def _unknown(told: Record) -> list[Network]:
    """Return the bridges with guests of libvirt of which nobody has told: they are taken for isolated networks.

    Before the first apply, or when an event was lost, that is what keeps them from being taken for the outside.
    """
    known = {network.bridge for networks in (told.up, told.down) for network in networks.values()}
    return [Network("", each.name, ISOLATED) for each in bridges() if each.is_of_guests and each.name not in known]


def _where(error: Exception) -> str:
    """The error and the last line of ours that it came through, without importing ``traceback``."""
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    place = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else "?"
    return f"{type(error).__name__}: {error} ({place})"
