"""The administrator's files → typed values, and problems that point at file, line and column.

This room reads these files and nothing else, by a ``Host``. It changes nothing, and knows nothing of libvirt or the
kernel. A wrong line of ``routed-ips`` or ``forwarded-ports`` costs only that line, and leaves no doubt about
lines of the other file. Wrong settings, and files that cannot be read or trusted, stop the run.
"""

from __future__ import annotations

from nethook.config.files import find_files, hidden_files, read_file
from nethook.config.routed_ips import RoutedIP, parse_routed_ips
from nethook.config.settings import Settings, parse_settings
from nethook.prefix import Ordered, disjoint, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from nethook.config.forwarded_ports import Forward
    from nethook.config.text import Entry, Problem, Source
    from nethook.host import Host
    from nethook.host.files import Stamp
    from nethook.prefix import Prefix

    Line = TypeVar("Line", bound=Entry)

SETTINGS_FILE = "/etc/nethook/nethook.conf"
FOLDERS = ("/etc/nethook", "/etc/sysconfig", "/etc/default")
ROUTED_IPS_FILES = tuple([f"{folder}/routed-ips" for folder in FOLDERS])
FORWARDED_PORTS_FILES = tuple([f"{folder}/forwarded-ports" for folder in FOLDERS])


class Configuration:
    """The content of the files: the settings, routed IPs and forwards, and the problems of wrong lines.

    ``hidden`` has, by prefix, lines of files that are ignored because another file comes first. Prefixes that the first
    file has as well are left out. ``hidden_forwards`` has the same of forwards, by their listening part.
    """

    __slots__ = (
        *("_doubt", "_doubt_of_forwards", "_problems", "_problems_of_forwards", "_stamp"),
        *("files", "forwards", "hidden", "hidden_forwards", "problems", "routed_ips", "settings"),
    )

    def __init__(
        self,
        settings: Settings,
        routed_ips: list[RoutedIP],
        problems: Sequence[Problem],
        *,
        forwards: list[Forward] | None = None,
        problems_of_forwards: Sequence[Problem] = (),
        hidden: Mapping[str, RoutedIP] | None = None,
        hidden_forwards: Mapping[str, Forward] | None = None,
        files: Sequence[str] = (),
        stamp: Sequence[Stamp] = (),
    ) -> None:
        """Keep these values; ``stamp`` is the one that ``files`` had before they were read."""
        self.settings = settings
        self.routed_ips = routed_ips
        self.forwards = forwards or []
        self.problems = [*problems, *problems_of_forwards]
        self.hidden = hidden or {}
        self.hidden_forwards = hidden_forwards or {}
        self._problems = problems
        self._problems_of_forwards = problems_of_forwards
        self.files = files
        self._stamp = stamp
        self._doubt = _Doubt(problems, self.hidden.values())
        self._doubt_of_forwards = _Doubt(problems_of_forwards, self.hidden_forwards.values())

    @property
    def lines(self) -> list[Entry]:
        """All right lines, those of routed-ips first."""
        return [*self.routed_ips, *self.forwards]

    @property
    def stamp(self) -> str:
        """A text that differs if a file was written or replaced; '' if nothing was read from files."""
        return " ".join(map(str, self._stamp))

    def is_current(self, host: Host) -> bool:
        """Return whether no file has changed since it was read."""
        return host.stamp(self.files) == self._stamp

    def of(self, families: Collection[int]) -> Configuration:
        """Return the configuration with only the lines of these IP families (4, 6)."""
        return self.replaced(
            routed_ips=[line for line in self.routed_ips if line.prefix.family in families],
            forwards=[line for line in self.forwards if line.prefix.family in families],
        )

    def refusing(self, problems: Sequence[tuple[Entry, Problem]]) -> Configuration:
        """Return this configuration without these lines, as if each had a mistake in itself."""
        refused = {id(line) for line, _ in problems}
        of_routed_ips = [problem for line, problem in problems if isinstance(line, RoutedIP)]
        of_forwards = [problem for line, problem in problems if not isinstance(line, RoutedIP)]
        return self.replaced(
            routed_ips=[line for line in self.routed_ips if id(line) not in refused],
            forwards=[line for line in self.forwards if id(line) not in refused],
        ).doubting(of_routed_ips, of_forwards)

    def doubting(self, problems: Sequence[Problem], problems_of_forwards: Sequence[Problem]) -> Configuration:
        """Return this configuration with these problems, too."""
        return self.replaced(
            problems=[*self._problems, *problems],
            problems_of_forwards=[*self._problems_of_forwards, *problems_of_forwards],
        )

    def without_hidden(self) -> Configuration:
        """Return this configuration without hidden lines, so that their addresses are withdrawn."""
        return self.replaced(hidden={}, hidden_forwards={})

    def replaced(self, **changed: Any) -> Configuration:
        """Return a configuration with other values of these parameters of ``__init__``."""
        values: dict[str, Any] = {
            "settings": self.settings,
            "routed_ips": self.routed_ips,
            "problems": self._problems,
            "forwards": self.forwards,
            "problems_of_forwards": self._problems_of_forwards,
            "hidden": self.hidden,
            "hidden_forwards": self.hidden_forwards,
        }
        return Configuration(files=self.files, stamp=self._stamp, **{**values, **changed})

    @property
    def leaves_doubt(self) -> bool:
        """True if a wrong or hidden line may name an object of a routed IP in the kernel, which then stays."""
        return self._doubt.is_there

    def in_doubt(self, prefix: Prefix) -> bool:
        """Return whether a wrong line is, or may be, about this prefix. If so, its objects in the kernel stay."""
        return self._doubt.is_about(prefix)

    def in_doubt_within(self, block: Prefix) -> bool:
        """Return whether a wrong line is, or may be, about this block or a prefix around it."""
        return self._doubt.is_around(block)

    @property
    def doubts(self) -> Sequence[Prefix | None]:
        """The prefixes that wrong and hidden lines are about; None stands for any prefix."""
        return self._doubt.about

    @property
    def doubts_of_forwards(self) -> Sequence[Prefix | None]:
        """The same of lines of forwarded-ports."""
        return self._doubt_of_forwards.about

    @property
    def forwards_leave_doubt(self) -> bool:
        """True if a wrong or hidden line of forwarded-ports may name an object in the kernel, which then stays."""
        return self._doubt_of_forwards.is_there

    def forwards_in_doubt(self, address: str) -> bool:
        """Return whether a wrong line is, or may be, about ports of this listening address, in canonical text.

        Nobody knows which ports. So all objects of the address in the kernel stay that no right line names.
        """
        return self._doubt_of_forwards.is_about(parse_prefix(address))


class _Doubt:
    """The prefixes that wrong and hidden lines of one kind of file are about.

    It is asked for each object in the kernel, and there may be many problems. So the answers are look-ups.
    """

    __slots__ = ("_all", "_around", "_prefixes")

    def __init__(self, problems: Iterable[Problem], hidden: Iterable[Entry]) -> None:
        self._all = any(problem.prefix is None for problem in problems)
        self._prefixes = {problem.prefix for problem in problems if problem.prefix}
        self._prefixes.update(line.prefix for line in hidden)
        self._around = Ordered(disjoint(self._prefixes))

    @property
    def is_there(self) -> bool:
        return self._all or bool(self._prefixes)

    @property
    def about(self) -> Sequence[Prefix | None]:
        return [*([None] if self._all else []), *self._prefixes]

    def is_about(self, prefix: Prefix) -> bool:
        return self._all or prefix in self._prefixes

    def is_around(self, block: Prefix) -> bool:
        return self._all or self._around.around(block) is not None


def load(
    host: Host,
    settings_file: str = SETTINGS_FILE,
    search: Sequence[str] = ROUTED_IPS_FILES,
    search_forwards: Sequence[str] = FORWARDED_PORTS_FILES,
) -> Configuration:
    """Read the configuration of this host. ConfigError or ReadError if none of it can be relied on."""
    seen = host.stamp([settings_file])
    settings = load_settings(host, settings_file)
    chosen = [settings.routed_ips] if settings.routed_ips else search
    chosen_forwards = [settings.forwarded_ports] if settings.forwarded_ports else search_forwards
    seen += host.stamp([*chosen, *chosen_forwards])
    return assemble(
        settings,
        find_files(host, "routed-ips", settings.routed_ips, search),
        find_files(host, "forwarded-ports", settings.forwarded_ports, search_forwards),
        hidden=[] if settings.routed_ips else hidden_files(host, search),
        hidden_forwards=[] if settings.forwarded_ports else hidden_files(host, search_forwards),
        files=[settings_file, *chosen, *chosen_forwards],
        stamp=seen,
    )


def assemble(
    settings: Settings,
    routed_ips: Sequence[Source],
    forwarded_ports: Sequence[Source],
    *,
    hidden: Sequence[Source] = (),
    hidden_forwards: Sequence[Source] = (),
    files: Sequence[str] = (),
    stamp: Sequence[Stamp] = (),
) -> Configuration:
    """Return the configuration in the contents of these files."""
    lines, problems = parse_routed_ips(routed_ips)
    hidden_lines = _hidden(hidden, lines, parse_routed_ips) if hidden else {}
    if not forwarded_ports and not hidden_forwards:
        return Configuration(settings, lines, problems, hidden=hidden_lines, files=files, stamp=stamp)
    from nethook.config.forwarded_ports import beside_routed, parse_forwarded_ports  # noqa: PLC0415 - most hosts have none

    forwards, problems_of_forwards = parse_forwarded_ports(forwarded_ports)
    read = Configuration(
        settings,
        lines,
        problems,
        forwards=forwards,
        problems_of_forwards=problems_of_forwards,
        hidden=hidden_lines,
        hidden_forwards=_hidden(hidden_forwards, forwards, parse_forwarded_ports),
        files=files,
        stamp=stamp,
    )
    refused = beside_routed(forwards, lines)
    return read.refusing(refused) if refused else read


def _hidden(
    sources: Sequence[Source],
    read: Sequence[Line],
    parse: Callable[[Sequence[Source]], tuple[list[Line], list[Problem]]],
) -> dict[str, Line]:
    """Return, by what they are about, the right lines of ignored files that the lines which are read do not have."""
    known = {line.text for line in read}
    return {line.text: line for line in parse(sources)[0] if line.text not in known}


def load_settings(host: Host, file: str = SETTINGS_FILE) -> Settings:
    """Read only the settings. ConfigError or ReadError if they cannot be relied on."""
    content = read_file(host, file)
    return Settings() if content is None else parse_settings(file, content)


__all__ = ["Configuration", "RoutedIP", "Settings", "assemble", "load", "load_settings"]
