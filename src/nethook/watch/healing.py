"""One look of the service: which lines count, what libvirt says, one cycle, and what became of it.

What was applied is healed: by `nethook apply`, by this service, and by events for their own networks. After a boot,
the files are applied. Files that have changed since are applied only with ``auto-apply``, or after SIGHUP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook import log
from nethook.config import Settings, load
from nethook.config.text import one_line
from nethook.doctor.libvirts_rules import without_rules
from nethook.engine import applied
from nethook.engine.cycle import cycle
from nethook.engine.run import CLEARED, count_run
from nethook.engine.situation import limited_host, recorded_situation, situation
from nethook.errors import ConfigError, NethookError, ReadError
from nethook.host.inotify import are_being_written
from nethook.install import daemon
from nethook.libvirt.live import SECONDS, LibvirtError, is_running
from nethook.placement import ROUTED
from nethook.placement.forwarded import FORWARDED
from nethook.watch.plugs import plug_in
from nethook.watch.source import Interests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config import Configuration
    from nethook.engine.applied import Applied
    from nethook.engine.run import Outcome
    from nethook.engine.situation import Situation
    from nethook.host import Host

LATER_SECONDS = 2.0
"""For libvirt, once it has answered: if it takes longer, its record counts, and it is asked again later."""
SETTLED_SECONDS = 1.0
"""Files that have changed so recently may not be complete: somebody may still write, or put others in their place."""
WAS_CLEARED = (
    "`nethook clear` has removed everything; until `nethook apply`, only what events have put in force since is healed"
)
SETTINGS_DIFFER = f"{applied.FILES_DIFFER}; settings have changed, and until then nothing is healed"


class Healing:
    """Looks, one after the other: it knows what was applied last, and says nothing twice until it has changed."""

    def __init__(self, journal: Host) -> None:
        self.applies_files = False
        """The next look applies the files, whatever is noted."""
        self.why_idle = ""
        """Why files wait, or nothing is healed; '' if all is healed."""
        self.done: list[str] = []
        self.failures: list[str] = []
        self.mistakes: list[str] = []
        """Wrong lines of the files that were applied by this look."""
        self.is_late = False
        """libvirt has not answered in time, or somebody is writing the files: another look comes soon."""
        self.in_force = ""
        """How much is in force, as text."""
        self.interests: Interests | None = None
        """What matters since the last look; None if that could not be told."""
        self.is_libvirt_away = False
        """libvirt has ended the connection of the service: it must not be asked."""
        self.is_deaf = False
        """There are rules of iptables-legacy, of whose changes the kernel does not tell."""
        self.settings = Settings()
        """The settings that count: those that were read last."""
        self._journal = journal
        self._read: Configuration | None = None
        """The files as they were read last."""
        self._fingerprint = ""
        self._noted: Applied | None = None
        """What was noted last as applied."""
        self._has_run = False
        self._is_pending = False
        self._without_rules: list[str] = []
        """Networks without libvirt's own rules at the last look."""
        self._seconds = SECONDS
        self._said: dict[str, Sequence[str]] = {}

    def look(self, cause: str) -> None:
        """Look once, and put right what is wrong. ``done`` and ``failures`` have what became of it; never fails.

        The run is counted with this cause.
        """
        self.done, self.failures, self.mistakes = [], [], []
        self.interests = None
        self.is_late = False
        try:
            found = cycle(self._ask, self._tell, cause)
            if found:
                self._take(*found)
                self._plug_in(found[0], cause)
                self._say_what_libvirt_lacks(*found)
        except ConfigError as error:
            self.failures = [str(problem) for problem in error.problems[: log.MOST_LOGGED]]
        except NethookError as error:
            self.failures.append(str(error))
        except Exception as error:  # a defect must not end the service, and what is in force stays
            self.failures.append(f"defect in nethook: {log.where(error)}")

    def _ask(self) -> Situation | None:
        """Return the situation to heal; None to heal nothing (``why_idle``)."""
        configuration = self._configuration(limited_host())
        self.say("idle", [self.why_idle] if self.why_idle else [])
        if configuration is None:
            return None
        now = self.told(configuration)
        now.is_noted = not self._is_pending
        return now

    def told(self, configuration: Configuration) -> Situation:
        """Return what libvirt says, or what it has said last. LibvirtError if it has not said anything.

        A daemon that has answered and has been stopped since is not asked, because systemd may start it by that.
        """
        host = limited_host()
        try:
            if self.is_libvirt_away or (self._has_run and not is_running()):
                raise LibvirtError("libvirt was stopped")
            now = situation(configuration, seconds=self._seconds)
        except LibvirtError as error:
            self._seconds = LATER_SECONDS
            recorded = recorded_situation(configuration, host)
            if recorded is None:
                raise
            self.is_late |= not self.is_libvirt_away and (not self._has_run or is_running())
            self.say("libvirt", [f"{error}; until it answers, its last word counts"])
            return recorded
        self._has_run = is_running()
        self.say("libvirt", [])
        return now

    def _configuration(self, host: Host) -> Configuration | None:
        """Return the configuration to heal; None to heal nothing. ConfigError or ReadError if that is not known."""
        self.why_idle = ""
        noted = self._noted = self._applied(host)
        read, is_read = self._files(host, is_needed=noted is None)
        self.settings, self._is_pending = read.settings, not is_read
        if not noted or (is_read and self.applies_files) or noted.fits(self._fingerprint):
            return read
        if noted.files == CLEARED:
            self.why_idle = WAS_CLEARED
        elif is_read and read.settings.auto_apply and not self._is_being_written(read):
            return read
        elif noted.files != self._fingerprint:
            self.say("mistakes", [str(problem) for problem in read.problems[: log.MOST_LOGGED]])
            self.why_idle = applied.FILES_DIFFER
        self._is_pending = True
        if applied.has_other_settings(noted, read):
            self.why_idle = SETTINGS_DIFFER
            return None
        return noted.configuration(read) if noted.lines or noted.files != CLEARED else None

    def _applied(self, host: Host) -> Applied | None:
        """Return what is noted, or what was noted last if that cannot be read now. ReadError if it never was read."""
        try:
            return applied.found(host)
        except ReadError:
            if self._noted is None:
                raise
            return self._noted

    def _files(self, host: Host, *, is_needed: bool) -> tuple[Configuration, bool]:
        """Return the files as they were read last, and False if they have changed and cannot be read.

        If they were never read, or if ``is_needed``, raises ConfigError or ReadError instead.
        """
        if not self._read or not self._read.is_current(host):
            try:
                self._read = load(host)
            except (ConfigError, ReadError) as error:
                if not self._read or is_needed:
                    raise
                problems = (
                    [*map(str, error.problems[: log.MOST_LOGGED])] if isinstance(error, ConfigError) else [str(error)]
                )
                self.say("unread", [*problems, "the files cannot be applied; what was applied last is healed"])
                return self._read, False
            self._fingerprint = applied.fingerprint(self._read)
        self.say("unread", [])
        return self._read, True

    def _is_being_written(self, read: Configuration) -> bool:
        """Return whether somebody may not have finished with the files; then they are looked at again soon."""
        self.is_late = are_being_written(read.files, SETTLED_SECONDS)
        return self.is_late

    def _tell(self, outcome: Outcome) -> None:
        self.done += map(str, outcome.done)
        self.failures += outcome.failures

    def _take(self, now: Situation, outcome: Outcome) -> None:
        """Remember what was applied and what matters, and say which lines are wrong."""
        host = limited_host()
        configuration = now.configuration
        if not self._is_pending:
            self.applies_files = False
            mistakes = [*configuration.problems, *(now.mistakes(outcome.refused) if now.is_live else outcome.refused)]
            self.mistakes = [str(problem) for problem in mistakes[: log.MOST_LOGGED]]
            self.say("mistakes", self.mistakes)
        self._seconds = LATER_SECONDS
        if outcome.case:
            self.is_deaf = any("-legacy " in opening.where for opening in outcome.case.snapshot.openings)
            lines = sum(placement.status == ROUTED for placement in outcome.case.placements.lines)
            forwards = sum(forwarding.status == FORWARDED for forwarding in outcome.case.forwardings)
            self.in_force = f"{_number(lines, 'line')} routed, {_number(forwards, 'line')} forwarded"
        bridges = {each.network.bridge for each in now.live.values()}
        uplinks = {line.proxy for line in configuration.lines if line.proxy}
        try:
            links = host.links()
        except ReadError:
            return
        protocol = configuration.settings.route_protocol
        self.interests = Interests(protocol, bridges, uplinks, links, configuration.files)

    def _say_what_libvirt_lacks(self, now: Situation, outcome: Outcome) -> None:
        """Say that libvirt's own rules are gone, if they are at two looks: it writes them anew when it restarts."""
        if outcome.case is None or outcome.failures:
            return
        openings = outcome.case.snapshot.openings
        names = sorted({name for family in (4, 6) for name in without_rules(now.up, openings, family)})
        was_without, self._without_rules = self._without_rules, names
        if names == was_without:
            what = f"libvirt's own rules are gone, so there is neither NAT nor isolation on {', '.join(names)}"
            self.say("rules", [one_line(f"{what}; run: {daemon.restart(limited_host())}")] if names else [])
        self.is_late |= bool(names) and names != was_without

    def _plug_in(self, now: Situation, cause: str) -> None:
        """Put taps back into their bridges, and say which only libvirt can put back."""
        if not now.is_live:
            return
        host = limited_host()
        loose = plug_in(now.live, host)
        self.say("taps", loose.left)
        if loose.plugged:
            self.done += map(str, loose.plugged)
            count_run(cause, loose.plugged, (), host)

    def say(self, about: str, lines: Sequence[str]) -> None:
        """Log these lines as errors, unless the same were said last."""
        if lines and self._said.get(about) != lines:
            log.errors(lines, self._journal)
        self._said[about] = lines


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
