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
from nethook.kernel.process import Tools
from nethook.libvirt import record
from nethook.libvirt.event import parse_event
from nethook.lock import Locked
from nethook.reconcile import reconcile
from nethook.scope import scope_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.libvirt.event import Event

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
        log.problems(error.problems)
        log.errors([f"network {arguments[0]} {arguments[1]}: nothing was changed, because of these files"])
    except NethookError as error:
        log.errors([f"network {arguments[0]} {arguments[1]}: {error}"])
    except Exception as error:  # the guest must start; a defect of ours is reported, not passed on
        log.errors([f"network {arguments[0]} {arguments[1]}: defect in nethook: {_where(error)}"])


def _handle(event: Event) -> None:
    network = event.network
    reason = f"network {network.name} {event.operation}"
    if not network.bridge:
        if event.is_up:
            log.info(
                [f"{reason}: it has no bridge (forward mode {network.forward_mode}), so nothing can be routed to it"]
            )
        return
    if not device_name.is_safe(network.bridge):
        raise NethookError(f"its bridge has a name that cannot be used in rules and routes: {network.bridge!r}")
    tools = Tools(SECONDS)
    with Locked():
        configuration = load()
        network.ports = event.ports(record.ports().get(network.name, ()))
        up = [network] if event.is_up and device.exists(network.bridge) else []
        outcome = reconcile(configuration, up, scope_of([network], configuration.routed_ips), tools)
    outcome.finish(tools)
    log.problems(configuration.problems)
    log.info(f"{effect} [{reason}]" for effect in outcome.done)
    log.errors(f"{reason}: {failure}" for failure in outcome.failures)


def _where(error: Exception) -> str:
    """The error and the last line of ours that it came through, without importing ``traceback``."""
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    place = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else "?"
    return f"{type(error).__name__}: {error} ({place})"
