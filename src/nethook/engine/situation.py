"""The beginning of every verb that looks at the host: the files, libvirt's networks, and the scope."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from nethook.config import FORWARDED_PORTS_FILES, ROUTED_IPS_FILES
from nethook.config.files import existing_files
from nethook.config.listening import PROTOCOLS, parse_ports, with_ports
from nethook.config.text import one_line, some, suggestion
from nethook.engine import applied
from nethook.engine.snapshot import Question
from nethook.errors import NethookError
from nethook.host import Host, links
from nethook.host.links import BRIDGE, NO_IPV6, NO_IPV6_ADVICE, available
from nethook.libvirt import record
from nethook.libvirt.live import SECONDS as LIBVIRT_SECONDS
from nethook.libvirt.live import LiveNetwork, live_networks
from nethook.libvirt.names import unresolved
from nethook.libvirt.record import FILE, learn
from nethook.placement.scope import Scope, scope_of
from nethook.prefix import is_prefix, parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config import Configuration
    from nethook.config.forwarded_ports import Forward
    from nethook.config.listening import Ports
    from nethook.config.text import Problem
    from nethook.host.lock import Version
    from nethook.libvirt import Network
    from nethook.parts.routes import Route
    from nethook.prefix import Prefix

SECONDS = 5.0
"""For reading and changing the kernel: a hook that waits meanwhile gives up after 6."""
MOST_SHOWN = 5
LISTENING = re.compile(r"\[?([^]]+)\]?:([0-9,-]+)(?:/([a-z,]+))?")
"""The beginning of a line of forwarded-ports."""
SECONDS_PER_ADDRESS = 0.0005
"""More, where there are many: some four times what an idle machine takes."""


class Situation:
    """The configuration, all networks of libvirt by name, those that are ``up``, and the ``scope`` of the run."""

    def __init__(
        self,
        configuration: Configuration,
        live: dict[str, LiveNetwork],
        names: Sequence[str],
        *,
        forces: bool = False,
        is_live: bool = True,
    ) -> None:
        """``is_live``: libvirt has just told all this; if not, it is from the record."""
        self.configuration = configuration
        self.files = configuration
        """The files: they have other lines if only some of them are applied."""
        self.is_live = is_live
        self.is_noted = True
        """The run notes its lines as applied."""
        self._forces = forces
        self.live = live
        self.not_recorded: list[str] = []
        """Why the record could not be written, if so."""
        self._names = names
        about = [live[name].network for name in names] if names else [each.network for each in live.values()]
        about = [network for network in about if network.bridge and not network.why_unroutable]
        known = [each.network for each in live.values() if each.is_active]
        down = [each.network for each in live.values() if not each.is_active]
        self._lines = configuration.lines
        self.unresolved, self._misfits = unresolved(self._lines, live, None if is_live else lambda: None)
        texts = {line.key for line, _ in self.unresolved}
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
        return Question(self.configuration, self.up, self.scope, host, is_thorough=True, forces=self._forces)

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
        lines = self._lines
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

    def record(self, asked: Version, host: Host) -> bool:
        """Record what libvirt has told, and which lines are in force from now on.

        ``asked`` is the version of the record when libvirt was asked. False if an event has come since, and libvirt
        has to be asked again.
        """
        if self.is_live and not self._learn(asked, host):
            return False
        mistakes = [line for line, problem in self.unresolved if problem]
        if self.is_noted and not applied.note(self.files, host, self._names, mistakes):
            self.not_recorded.append(applied.NOT_NOTED)
        return True

    def _learn(self, asked: Version, host: Host) -> bool:
        own = {each.network.bridge for each in self.live.values()}
        hosts = [link.name for link in host.links() if link.kind == BRIDGE and link.name not in own]
        try:
            return learn(((each.network, each.is_active) for each in self.live.values()), hosts, asked, host)
        except OSError as error:
            self.not_recorded.append(f"cannot record the networks in {error.filename or FILE}: {error.strerror}")
            return True


def situation(
    configuration: Configuration, names: Sequence[str] = (), *, forces: bool = False, seconds: float = LIBVIRT_SECONDS
) -> Situation:
    """Return the situation now. ``names`` are the libvirt networks that the run is about; none: everything.

    ``forces``: a run may also put lines in force that may lock the administrator out. libvirt has so many ``seconds``.
    LibvirtError if libvirt cannot be asked, NethookError if it has no such network.
    """
    live = live_networks(seconds)
    for name in names:
        if name not in live:
            advice = suggestion(name, sorted(live)) if live else "it has none at all"
            raise NethookError(one_line(f"libvirt has no network {name}: {advice}"))
    lines = applied.beside(configuration, limited_host(), names) if names else configuration
    now = Situation(lines, live, names, forces=forces)
    now.files = configuration
    return now


def recorded_situation(configuration: Configuration, host: Host) -> Situation | None:
    """Return the situation by what libvirt has told last, for when it does not answer; None if it has told nothing.

    Until it answers again, networks and guests are as they were: libvirt alone starts and stops them. ReadError.
    """
    told = record.read(host)
    live = {
        network.name: LiveNetwork(network, is_active=is_up)
        for networks, is_up in ((told.up, True), (told.down, False))
        for network in networks.values()
        if network.name
    }
    return Situation(configuration, live, (), is_live=False) if live else None


def limited_host() -> Host:
    """Return this host, with the time that a verb has."""
    return Host(SECONDS, SECONDS_PER_ADDRESS)


def say_what_is_not_read(configuration: Configuration, host: Host) -> None:
    """Warn of files that are ignored because another one comes before them."""
    for sentence in ignored_files(configuration, host):
        print(f"nethook: {sentence}", file=sys.stderr)


def ignored_files(configuration: Configuration, host: Host) -> list[str]:
    """Return a sentence about each file that is ignored because another one comes before it."""
    settings = configuration.settings
    found = []
    for chosen, search in (
        (settings.routed_ips, ROUTED_IPS_FILES),
        (settings.forwarded_ports, FORWARDED_PORTS_FILES),
    ):
        first, *ignored = (existing_files(host, search) if chosen is None else []) or [""]
        found += [f"{path} is ignored, because {first} exists" for path in ignored]
    return found


def hidden_in_force(configuration: Configuration, routes: Iterable[Route]) -> list[str]:
    """Return the prefixes of these routes of ours that only files have which are not read."""
    return sorted({route.prefix for route in routes} & configuration.hidden.keys())


def what_stays(configuration: Configuration, hidden: Sequence[str]) -> str:
    """Return a sentence about such prefixes."""
    what = f"{with_files(configuration, hidden)} stay in force"
    return f"{what}, although no file that is read has them; to withdraw them: nethook apply --yes"


def with_files(configuration: Configuration, hidden: Sequence[str]) -> str:
    """Return the first of these prefixes, and the ignored files that have them."""
    files = dict.fromkeys(configuration.hidden[prefix].place.file for prefix in hidden)
    return f"{some(hidden, MOST_SHOWN)} of {', '.join(files)}"


class Asked(NamedTuple):
    """An address or prefix of a command line, and the ports and protocols of it that are meant; none: all it has."""

    prefix: Prefix
    ports: Ports = ()
    protocols: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As it is written."""
        text = with_ports(self.prefix, self.ports)
        return f"{text}/{','.join(self.protocols)}" if self.protocols else text

    def has(self, forward: Forward) -> bool:
        """Return whether a line of forwarded-ports is about it, as one without ports is about all of them."""
        if not forward.prefix.lies_in(self.prefix):
            return False
        if self.protocols and forward.protocols and not {*self.protocols} & {*forward.protocols}:
            return False
        pairs = ((asked, there) for asked in self.ports for there in forward.ports)
        has_some = any(asked[0] <= there[1] and there[0] <= asked[1] for asked, there in pairs)
        return has_some or not self.ports or not forward.ports


def asked_about(words: Sequence[str]) -> list[Asked]:
    """Return what the words of a command line name; NethookError if a word names nothing."""
    return [_asked_about(word) for word in words]


def _asked_about(word: str) -> Asked:
    try:
        return Asked(parse_prefix(word))
    except ValueError as error:
        listening = LISTENING.fullmatch(word)
        if listening and is_prefix(listening[1]):
            if listening[3] not in {None, *PROTOCOLS}:
                raise NethookError(one_line(f"{word}: the protocol is tcp, udp or tcp,udp")) from None
            try:
                protocols = PROTOCOLS[listening[3]] if listening[3] else ()
                return Asked(parse_prefix(listening[1]), parse_ports(listening[2]), protocols)
            except ValueError as wrong:
                raise NethookError(one_line(f"{word}: {wrong}")) from None
        advice = "" if "/" in word else "; write an address; `nethook status` shows the lines"
        raise NethookError(one_line(f"{error}{advice}")) from None


def require_root(what: str) -> None:
    """Raise NethookError unless root runs this; ``what`` says what root is needed for."""
    if os.geteuid() != 0:
        raise NethookError(f"only root can {what}: try it with sudo")
