"""The loop of the service: hear, collect, look, rest.

It ends by SIGTERM or Ctrl-C, which wait while something is being changed, and changes nothing by that. SIGHUP makes it
apply the files now. systemd restarts it when a look takes longer than the watchdog of its unit allows: the watchdog is
short while it looks, and otherwise longer than the timer, so that nothing wakes an idle service but that.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import time
from typing import TYPE_CHECKING

from nethook import log
from nethook.config.text import one_line
from nethook.engine.situation import limited_host
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.host import service_manager
from nethook.status.measured import write_metrics
from nethook.watch.healing import Healing
from nethook.watch.journal import Journal
from nethook.watch.pace import Pace
from nethook.watch.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Sequence

METRICS_SECONDS = 60.0
"""How old the file of metrics may be, where there is one."""
DEAF_TIMER, TIMER = 60.0, 600.0
"""Seconds after which it looks although nothing was heard: with iptables-legacy, of which nobody tells, and without."""
MOST_CAUSES = 3
MICROSECONDS = 1_000_000


class _Stopped(BaseException):
    """SIGTERM came."""


def watch(*, is_once: bool) -> int:
    """Apply the files, and then keep them in force until SIGTERM; ``is_once``: end after the first look."""
    service = Service()
    if is_once:
        service.healing.applies_files = True
        service.look("start", ["once"])
        return DIFFERENT if service.healing.failures or service.healing.mistakes else OK
    try:
        service.run()
    except (_Stopped, KeyboardInterrupt):
        service_manager.tell("STOPPING=1", "STATUS=what is in force stays")
    finally:
        service.end()
    return OK


class Service:
    """The service: its sources, what it heard and what it did last."""

    def __init__(self) -> None:
        self._journal = Journal(0)
        self.healing = Healing(self._journal)
        self._pace = Pace()
        self._selector = selectors.DefaultSelector()
        self._sources = Sources(self._selector, self._hear, self.healing.say)
        self._causes: list[str] = []
        self._source = ""
        self._metrics_at = 0.0
        self._last_change = "nothing was changed yet"
        self._timer_at = 0.0
        self._watchdog = service_manager.watchdog_seconds()
        self._is_looking_after = False
        self._is_hung_up = False

    def run(self) -> None:
        """Look and hear until a signal ends it."""
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGHUP, self._hang_up)
        wake_up, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        self._selector.register(wake_up, selectors.EVENT_READ)
        self._sources.open()  # before the first look, so that nothing is lost between
        self.look("start", ["the service has started"])
        service_manager.tell("READY=1")
        while True:
            self._wait(wake_up)
            now = time.monotonic()
            if self._is_hung_up:
                self._is_hung_up = False
                self.healing.applies_files = True
                self._hear("reload", ["SIGHUP"], is_urgent=True)
            if now >= self._timer_at:
                self._timer_at = now + TIMER
                self._tell_watchdog(TIMER)  # the look may have to rest
                self._hear("timer", ["the timer"])
            due = self._pace.due
            if due is not None and due <= now:
                self.look(self._source or "retry", self._causes or ["it is tried again"])
            if self._metrics_at <= now:
                self._write_metrics()

    def end(self) -> None:
        """Close all sources."""
        self._sources.close()
        self._selector.close()

    def _wait(self, wake_up: int) -> None:
        """Wait until something is due, and take what is heard meanwhile."""
        now = time.monotonic()
        times = [self._timer_at, self._metrics_at, self._sources.due]
        due = self._pace.due
        ready = self._selector.select(max(0.0, min([*times, *([] if due is None else [due])]) - now))
        for key, _ in ready:
            if key.data is None:
                os.read(wake_up, 1 << 10)
            else:
                self._sources.read(key.data)
        self._sources.open()

    def _hang_up(self, *_: object) -> None:
        """Note that SIGHUP came, maybe during a look; the loop wakes up by that."""
        self._is_hung_up = True

    def _hear(self, source: str, causes: Sequence[str], *, is_urgent: bool = False) -> None:
        if causes:
            self._source = self._source or source
            self._pace.hear(time.monotonic(), is_urgent=is_urgent)
            self._causes = [*dict.fromkeys([*self._causes, *causes])][:MOST_CAUSES]

    def look(self, source: str, causes: Sequence[str]) -> None:
        """Look once, because this source told these causes; log what was put right and what failed."""
        cause = "; ".join(causes)
        self._source, self._causes = "", []
        self._tell_watchdog(0.0)
        self._pace.begin(time.monotonic())
        before = _processor_seconds()
        healing, fights = self.healing, self._pace.fights
        healing.is_libvirt_away = self._sources.is_away
        healing.look(source)
        now = time.monotonic()
        self._timer_at = now + (DEAF_TIMER if healing.is_deaf else TIMER)
        if fights.is_calm(now):
            log.info(["it is calm again"], self._journal)
        was_fought = fights.fought
        used = 0.0 if self._is_looking_after else _processor_seconds() - before
        self._pace.end(now, used, healing.done, has_failed=bool(healing.failures) or healing.is_late)
        if healing.done:
            healed = [effect for effect in healing.done if not fights.is_fought(effect)]
            log.info((f"{effect} [watch: {cause}]" for effect in healed), self._journal)
            if fights.fought not in {"", was_fought}:
                log.errors([f"{fights.fought}: another program keeps undoing this ({cause})"], self._journal)
            self._last_change = f"last change {time.strftime('%F %T')}: {healing.done[0]} ({cause})"
        self._is_looking_after = bool(healing.done)  # the kernel tells us of our own changes
        healing.say("failures", healing.failures)
        if healing.interests:
            self._sources.follow(healing.interests)
        if healing.done or healing.failures or self._metrics_at == math.inf:
            self._metrics_at = now
        self._tell_watchdog(TIMER)
        service_manager.tell(f"STATUS={one_line(self._status)}")

    @property
    def _status(self) -> str:
        wrong = f"; {len(self.healing.failures)} failures" if self.healing.failures else ""
        idle = f"; {self.healing.why_idle}" if self.healing.why_idle else ""
        return f"{self.healing.in_force or 'nothing was applied yet'}{idle}{wrong}; {self._last_change}"

    def _write_metrics(self) -> None:
        """Write the file of metrics, if the settings name one."""
        settings, failed = self.healing.settings, []
        self._metrics_at = math.inf
        if settings.metrics_file:
            self._tell_watchdog(0.0)
            try:
                write_metrics(settings, limited_host(), self.healing.told)
            except Exception as error:  # also a defect must not end the service
                failed = [str(error) if isinstance(error, NethookError) else f"defect in metrics: {log.where(error)}"]
            self._tell_watchdog(TIMER)
            self._metrics_at = time.monotonic() + METRICS_SECONDS
        self.healing.say("metrics", failed)

    def _tell_watchdog(self, seconds: float) -> None:
        """Tell systemd that this lives, and that it hears of that again after these seconds and those of its unit."""
        if self._watchdog:
            allowed = int((seconds + self._watchdog) * MICROSECONDS)
            service_manager.tell("WATCHDOG=1", f"WATCHDOG_USEC={allowed}")


def _stop(*_: object) -> None:
    raise _Stopped


def _processor_seconds() -> float:
    """Return what this process and the programs that it has started took of processors."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
