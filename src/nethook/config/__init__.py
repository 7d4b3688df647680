"""The administrator's files → typed values, and problems that point at file, line and column.

This room reads these files and nothing else, by a ``Host``. It changes nothing, and knows nothing of libvirt or the
kernel. A wrong line of ``routed-ips`` costs only that line. Wrong settings, and files that cannot be read or trusted,
stop the run.
"""

from __future__ import annotations

from nethook.config.files import find_routed_ips, hidden_routed_ips, read_file
from nethook.config.routed_ips import RoutedIP, parse_routed_ips
from nethook.config.settings import Settings, parse_settings
from nethook.prefix import Ordered, disjoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from nethook.config.text import Problem
    from nethook.host import Host
    from nethook.host.files import Stamp
    from nethook.prefix import Prefix

SETTINGS_FILE = "/etc/nethook/nethook.conf"
ROUTED_IPS_FILES = ("/etc/nethook/routed-ips", "/etc/sysconfig/routed-ips", "/etc/default/routed-ips")


class Configuration:
    """The content of the files: the settings, the routed IPs, and the problems of wrong lines.

    ``hidden`` has, by prefix, lines of files that are ignored because another file comes first. Prefixes that the first
    file has as well are left out.
    """

    __slots__ = (
        *("_doubtful", "_doubtful_around", "_doubts_all", "_files", "_stamp"),
        *("hidden", "problems", "routed_ips", "settings"),
    )

    def __init__(
        self,
        settings: Settings,
        routed_ips: list[RoutedIP],
        problems: list[Problem],
        *,
        hidden: Mapping[str, RoutedIP] | None = None,
        files: Sequence[str] = (),
        stamp: Sequence[Stamp] = (),
    ) -> None:
        """Keep these values; ``stamp`` is the one that ``files`` had before they were read."""
        self.settings = settings
        self.routed_ips = routed_ips
        self.problems = problems
        self.hidden = hidden or {}
        self._files = files
        self._stamp = stamp
        # These questions are asked for each object in the kernel, and there may be many problems: so they are look-ups.
        self._doubts_all = any(problem.prefix is None for problem in problems)
        self._doubtful = {problem.prefix for problem in problems if problem.prefix}
        self._doubtful.update(line.prefix for line in self.hidden.values())
        self._doubtful_around = Ordered(disjoint(self._doubtful))

    def is_current(self, host: Host) -> bool:
        """Return whether no file has changed since it was read."""
        return host.stamp(self._files) == self._stamp

    @property
    def leaves_doubt(self) -> bool:
        """True if a wrong or hidden line may name an object in the kernel, which then stays."""
        return self._doubts_all or bool(self._doubtful)

    def of(self, families: Collection[int]) -> Configuration:
        """Return the configuration with only the lines of these IP families (4, 6)."""
        return self._with([line for line in self.routed_ips if line.prefix.family in families])

    def refusing(self, problems: Sequence[tuple[RoutedIP, Problem]]) -> Configuration:
        """Return this configuration without these lines, as if each had a mistake in itself."""
        refused = {line.prefix.text for line, _ in problems}
        lines = [line for line in self.routed_ips if line.prefix.text not in refused]
        return self._with(lines, [*self.problems, *(problem for _, problem in problems)])

    def without_hidden(self) -> Configuration:
        """Return this configuration without hidden lines, so that their addresses are withdrawn."""
        return Configuration(self.settings, self.routed_ips, self.problems, files=self._files, stamp=self._stamp)

    def _with(self, lines: list[RoutedIP], problems: list[Problem] | None = None) -> Configuration:
        problems = self.problems if problems is None else problems
        return Configuration(self.settings, lines, problems, hidden=self.hidden, files=self._files, stamp=self._stamp)

    def in_doubt(self, prefix: Prefix) -> bool:
        """Return whether a wrong line is, or may be, about this prefix. If so, its objects in the kernel stay."""
        return self._doubts_all or prefix in self._doubtful

    def in_doubt_within(self, block: Prefix) -> bool:
        """Return whether a wrong line is, or may be, about this block or a prefix around it."""
        return self._doubts_all or self._doubtful_around.around(block) is not None


def load(host: Host, settings_file: str = SETTINGS_FILE, search: Sequence[str] = ROUTED_IPS_FILES) -> Configuration:
    """Read the configuration of this host. ConfigError or ReadError if none of it can be relied on."""
    seen = host.stamp([settings_file])
    settings = load_settings(host, settings_file)
    chosen = [settings.routed_ips] if settings.routed_ips else search
    seen += host.stamp(chosen)
    routed_ips, problems = parse_routed_ips(find_routed_ips(host, settings.routed_ips, search))
    hidden = {} if settings.routed_ips else _hidden(host, search, routed_ips)
    return Configuration(settings, routed_ips, problems, hidden=hidden, files=[settings_file, *chosen], stamp=seen)


def _hidden(host: Host, search: Sequence[str], routed_ips: Sequence[RoutedIP]) -> dict[str, RoutedIP]:
    """Return, by prefix, the right lines of ignored files whose prefix ``routed_ips`` does not have."""
    sources = hidden_routed_ips(host, search)
    if not sources:
        return {}
    read = {line.prefix.text for line in routed_ips}
    lines, _ = parse_routed_ips(sources)
    return {line.prefix.text: line for line in lines if line.prefix.text not in read}


def load_settings(host: Host, file: str = SETTINGS_FILE) -> Settings:
    """Read only the settings. ConfigError or ReadError if they cannot be relied on."""
    content = read_file(host, file)
    return Settings() if content is None else parse_settings(file, content)


__all__ = ["Configuration", "RoutedIP", "Settings", "load", "load_settings"]
