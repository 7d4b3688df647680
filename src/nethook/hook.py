"""The entry point that libvirt runs: one event in, the kernel as it should be out.

libvirt holds the network locked until this ends, without a time-out, and a failure would keep the network or guest from
starting. So: all of standard input is read, every wait is bounded, libvirt is never called, and the exit status is 0
whatever happened. What went wrong is in syslog.
"""

from __future__ import annotations

import sys

from nethook import log
from nethook.changes import REMOVE
from nethook.config import load
from nethook.engine.applied import NOT_NOTED, after_event
from nethook.engine.run import EVENT, count_run, reconcile
from nethook.engine.snapshot import Question
from nethook.errors import ConfigError, NethookError
from nethook.host import Host
from nethook.host.links import guest_bridges
from nethook.libvirt import ISOLATED, Network, record
from nethook.libvirt.event import parse_event
from nethook.parts.classifying import protect
from nethook.placement.scope import scope_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.config import Configuration
    from nethook.engine.run import Outcome
    from nethook.libvirt.event import Event
    from nethook.libvirt.record import Record
    from nethook.placement.scope import Scope

SECONDS = 8.0
"""For everything together; the stub ends us after 10."""


def main(arguments: Sequence[str]) -> None:
    """Handle the event that libvirt's four arguments and standard input describe."""
    try:
        event = parse_event(arguments, sys.stdin.buffer.read())
    except Exception as error:
        _report(error, f"network {arguments[0]} {arguments[1]}", Host(0))
        return
    if event:
        handle(event, Host(SECONDS))


def handle(event: Event, host: Host) -> None:
    """Do what this event needs on this host. Every failure is logged, none is raised."""
    reason = f"network {event.network.name} {event.operation}"
    try:
        _handle(event, reason, host)
    except Exception as error:  # the guest must start; a defect of ours is reported, not passed on
        _report(error, reason, host)


def _report(error: Exception, reason: str, host: Host) -> None:
    if isinstance(error, ConfigError):
        log.problems(error.problems, host)
        log.errors([f"{reason}: nothing was changed, because of these files"], host)
    elif isinstance(error, NethookError):
        log.errors([f"{reason}: {error}"], host)
    else:
        log.errors([f"{reason}: defect in nethook: {log.where(error)}"], host)
    count_run(EVENT, (), [reason], host)


def _handle(event: Event, reason: str, host: Host) -> None:
    network = event.network
    unwritten = _record(event, reason, host)
    if not network.bridge:
        if event.is_up:
            log.info(
                [f"{reason}: it has no bridge (forward mode {network.forward_mode}), so nothing can be routed to it"],
                host,
            )
        return
    is_usable = not network.why_unroutable
    configuration = load(host)
    with host.locked():
        if not configuration.is_current(host):
            configuration = load(host)
        told = unwritten or record.read(host)
        in_force, is_noted = after_event(configuration, host, network.name)
        is_up = event.is_up and network.name in told.up
        up = [network] if is_up and is_usable and host.number_of(network.bridge) else []
        outcome = reconcile(Question(in_force, up, _scope(event, in_force, told, host), host))
    outcome.finish(host)
    outcome.failures += _taken_away(event, outcome)
    if not is_noted:
        outcome.failures.append(NOT_NOTED)
    if not is_usable and any(routed.network == network.name for routed in configuration.lines):
        outcome.failures.append(network.why_unroutable)
    log.problems([*configuration.problems, *outcome.refused], host)
    log.info((f"{effect} [{reason}]" for effect in outcome.done), host)
    log.errors((f"{reason}: {failure}" for failure in outcome.failures), host)
    count_run(EVENT, outcome.done, outcome.failures, host)


def _record(event: Event, reason: str, host: Host) -> Record | None:
    """Record what libvirt tells, and have our table know the bridges with guests: before anything else can fail.

    If it could not be written, returns what the record should be.
    """
    told, failure = record.tell(event, host)
    failures = [failure] if failure else []
    try:
        log.info((f"{effect} [{reason}]" for effect in protect(host, told.guest_bridges)), host)
    except NethookError as error:
        failures.append(str(error))
    log.errors((f"{reason}: {each}" for each in failures), host)
    return told if failure else None


def _scope(event: Event, configuration: Configuration, told: Record, host: Host) -> Scope:
    """Return the scope of this event. A network of which libvirt has not told may not exist."""
    return scope_of(
        [event.network],
        configuration.routed_ips,
        [*told.up.values(), *_unknown(told, event, host)],
        down=[*told.down.values()],
        unresolved={line.key for line in configuration.lines if not told.knows(line.network)},
        starting=event.network.own_prefixes if event.begins else (),
    )


def _taken_away(event: Event, outcome: Outcome) -> Iterator[str]:
    """Yield a sentence for each route that had to go because the network that starts has its prefix itself."""
    for effect in outcome.done if event.begins else ():
        if effect.kind == "route" and effect.sign == REMOVE and effect.prefix in event.network.own_prefixes:
            yield f"the route {effect.prefix} → {effect.bridge} is gone: with it, libvirt would not start this network"


def _unknown(told: Record, event: Event, host: Host) -> list[Network]:
    """Return the bridges with guests of libvirt of which nobody has told: they are taken for isolated networks.

    Before the first apply, or when an event was lost, that is what keeps them from being taken for the outside. A
    network that should be down, and whose bridge has guests, has started unseen, unless it stops by this event.
    """
    known = {network.bridge for network in told.up.values()}
    known.update([] if event.begins or event.is_up else [event.network.bridge])
    known.update(network.bridge for network in told.down.values() if not network.is_libvirts_own)
    return [Network("", name, ISOLATED) for name in guest_bridges(host.links()) if name not in known]
