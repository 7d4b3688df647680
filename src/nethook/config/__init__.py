"""The files people write → typed values, and problems that point at file, line and column.

This room reads those files and nothing else, changes nothing, and knows nothing of libvirt or the kernel.
A wrong line of ``routed-ips`` costs that line. Wrong settings, and files that cannot be read or trusted, stop
the run.
"""

from __future__ import annotations

from nethook.config.files import find_routed_ips, read_file, stamp
from nethook.config.routed_ips import RoutedIP, parse_routed_ips
from nethook.config.settings import Settings, parse_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config.files import Stamp
    from nethook.config.problem import Problem
    from nethook.prefix import Prefix

SETTINGS_FILE = "/etc/nethook/nethook.conf"
ROUTED_IPS_FILES = ("/etc/nethook/routed-ips", "/etc/sysconfig/routed-ips", "/etc/default/routed-ips")


class Configuration:
    """What the files say: the settings, the routed IPs, and the problems of the lines that are wrong."""

    __slots__ = ("_files", "_stamp", "problems", "routed_ips", "settings")

    def __init__(
        self,
        settings: Settings,
        routed_ips: list[RoutedIP],
        problems: list[Problem],
        *,
        files: Sequence[str] = (),
        stamp: Sequence[Stamp] = (),
    ) -> None:
        """``stamp`` is that of ``files`` before they were read."""
        self.settings = settings
        self.routed_ips = routed_ips
        self.problems = problems
        self._files = files
        self._stamp = stamp

    def refusing(self, problems: Sequence[tuple[RoutedIP, Problem]]) -> Configuration:
        """Return this configuration without these lines, as if they were wrong by themselves."""
        refused = {line.prefix.text for line, _ in problems}
        lines = [line for line in self.routed_ips if line.prefix.text not in refused]
        return Configuration(self.settings, lines, [*self.problems, *(problem for _, problem in problems)])

    @property
    def is_current(self) -> bool:
        """Whether the files are still those that were read."""
        return stamp(self._files) == self._stamp

    def in_doubt(self, prefix: Prefix) -> bool:
        """Whether a wrong line is, or may be, about this prefix: what the kernel has for it then stays."""
        return any(problem.prefix is None or problem.prefix == prefix for problem in self.problems)

    def in_doubt_within(self, block: Prefix) -> bool:
        """Whether a wrong line is, or may be, about this block or a prefix around it."""
        return any(problem.prefix is None or block.lies_in(problem.prefix) for problem in self.problems)


def load(settings_file: str = SETTINGS_FILE, search: Sequence[str] = ROUTED_IPS_FILES) -> Configuration:
    """Read the configuration of this host. ConfigError or ReadError if it cannot be relied on as a whole."""
    seen = stamp([settings_file])
    settings = load_settings(settings_file)
    chosen = [settings.routed_ips] if settings.routed_ips else search
    seen += stamp(chosen)
    routed_ips, problems = parse_routed_ips(find_routed_ips(settings.routed_ips, search))
    return Configuration(settings, routed_ips, problems, files=[settings_file, *chosen], stamp=seen)


def load_settings(file: str = SETTINGS_FILE) -> Settings:
    """Read the settings alone. ConfigError or ReadError if they cannot be relied on."""
    content = read_file(file)
    return Settings() if content is None else parse_settings(file, content)


__all__ = ["Configuration", "RoutedIP", "Settings", "load", "load_settings"]
