"""The beginning of every verb that looks at the host: the files, libvirt's networks, and the scope."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nethook.config import ROUTED_IPS_FILES
from nethook.config.files import existing_files
from nethook.config.text import one_line, suggestion
from nethook.engine.snapshot import Question
from nethook.errors import NethookError
from nethook.host import Host, links
from nethook.host.links import BRIDGE, NO_IPV6, NO_IPV6_ADVICE, available
from nethook.libvirt.live import live_networks
from nethook.libvirt.names import unresolved
from nethook.libvirt.record import FILE, learn
from nethook.placement.scope import Scope, scope_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config import Configuration
    from nethook.config.text import Problem
    from nethook.host.lock import Locked
    from nethook.libvirt import Network
    from nethook.libvirt.live import LiveNetwork
    from nethook.parts.routes import Route

SECONDS = 5.0
"""For reading and changing the kernel: a hook that waits meanwhile gives up after 6."""
MOST_SHOWN = 5
SECONDS_PER_ADDRESS = 0.0005
"""More, where there are many: some four times what an idle machine takes."""


class Situation:
    """The configuration, all networks of libvirt by name, those that are ``up``, and the ``scope`` of the run."""

    def __init__(self, configuration: Configuration, live: dict[str, LiveNetwork], names: Sequence[str]) -> None:
        self.configuration = configuration
        self.live = live
        self.not_recorded: list[str] = []
        """Why the record could not be written, if so."""
        self._names = names
        about = [live[name].network for name in names] if names else [each.network for each in live.values()]
        about = [network for network in about if network.bridge and not network.why_unroutable]
        known = [each.network for each in live.values() if each.is_active]
        down = [each.network for each in live.values() if not each.is_active]
        self.unresolved, self._misfits = unresolved(configuration.routed_ips, live)
        texts = {line.prefix.text for line, _ in self.unresolved}
        self.scope = (
            scope_of(about, configuration.routed_ips, known, down=down, unresolved=texts)
            if names
            else Scope(known=known, down=down, unresolved=texts)
        )
        self.up: list[Network] = [
            network for network in about if live[network.name].is_active and links.exists(network.bridge)
        ]

    def question(self, host: Host) -> Question:
        """Return the question of the run about this situation."""
        return Question(self.configuration, self.up, self.scope, host, is_thorough=True)

    def mistakes(self, refused: Sequence[Problem] = ()) -> list[Problem]:
        """Return the mistakes in lines of this run that only this host and libvirt can tell.

        ``refused`` are those that the run has found.
        """
        found = [
            problem for line, problem in self.unresolved if problem and (not self._names or line.network in self._names)
        ]
        return [*found, *refused]

    def say_what_is_odd(self) -> None:
        """Warn of ignored files, and of lines of this run that can never be put in force."""
        say_what_is_not_read(self.configuration, limited_host())
        lines = self.configuration.routed_ips
        lost = [line for line in lines if line.prefix.family not in available()]
        if lost:
            more = f" (and {len(lost) - 1} more lines)" if lost[1:] else ""
            print(f"nethook: blocked: {lost[0].place}: {NO_IPV6}{more}; {NO_IPV6_ADVICE}", file=sys.stderr)
        for line in lines:
            if line.network not in self.live or (self._names and line.network not in self._names):
                continue
            if why := self.live[line.network].network.why_unroutable:
                print(f"nethook: blocked: {one_line(f'{line.place}: {why}')}", file=sys.stderr)
        for line, problem in self._misfits:
            if not self._names or line.network in self._names:
                text = one_line(f"{problem.place}: {problem.what}; {problem.advice}")
                print(f"nethook: waiting: {text}", file=sys.stderr)

    def record(self, lock: Locked, host: Host) -> bool:
        """Record what libvirt has told. False if an event has come meanwhile, and it has to be asked again."""
        own = {each.network.bridge for each in self.live.values()}
        hosts = [link.name for link in host.links() if link.kind == BRIDGE and link.name not in own]
        try:
            return learn(((each.network, each.is_active) for each in self.live.values()), hosts, lock, host)
        except OSError as error:
            self.not_recorded = [f"cannot record the networks in {error.filename or FILE}: {error.strerror}"]
            return True


def situation(configuration: Configuration, names: Sequence[str] = ()) -> Situation:
    """Return the situation now. ``names`` are the libvirt networks that the run is about; none: everything.

    LibvirtError if libvirt cannot be asked, NethookError if it has no such network.
    """
    live = live_networks()
    for name in names:
        if name not in live:
            advice = suggestion(name, sorted(live)) if live else "it has none at all"
            raise NethookError(one_line(f"libvirt has no network {name}: {advice}"))
    return Situation(configuration, live, names)


def limited_host() -> Host:
    """Return this host, with the time that a verb has."""
    return Host(SECONDS, SECONDS_PER_ADDRESS)


def say_what_is_not_read(configuration: Configuration, host: Host) -> None:
    """Warn of files that are ignored because another one comes before them."""
    if configuration.settings.routed_ips is None:
        first, *ignored = existing_files(host, ROUTED_IPS_FILES) or [""]
        for path in ignored:
            print(f"nethook: {path} is ignored, because {first} exists", file=sys.stderr)


def hidden_in_force(configuration: Configuration, routes: Iterable[Route]) -> list[str]:
    """Return the prefixes of these routes of ours that only files have which are not read."""
    return sorted({route.prefix for route in routes} & configuration.hidden.keys())


def what_stays(configuration: Configuration, hidden: Sequence[str]) -> str:
    """Return a sentence about such prefixes."""
    what = f"{some(hidden)} of {files_of(configuration, hidden)} stay in force"
    return f"{what}, although no file that is read has them; to withdraw them: nethook apply --yes"


def some(prefixes: Sequence[str]) -> str:
    """Return the first few of these prefixes, and how many more there are."""
    shown = ", ".join(prefixes[:MOST_SHOWN])
    return f"{shown} and {len(prefixes) - MOST_SHOWN} more" if len(prefixes) > MOST_SHOWN else shown


def files_of(configuration: Configuration, hidden: Sequence[str]) -> str:
    """Return the names of the ignored files that have these prefixes."""
    return ", ".join(dict.fromkeys(configuration.hidden[prefix].place.file for prefix in hidden))


def require_root(what: str) -> None:
    """Raise NethookError unless root runs this; ``what`` says what root is needed for."""
    if os.geteuid() != 0:
        raise NethookError(f"only root can {what}: try it with sudo")
