"""The files people write → typed values, and problems that point at file, line and column.

This room reads those files and nothing else, changes nothing, and knows nothing of libvirt or the kernel.
A wrong line of ``routed-ips`` costs that line. Wrong settings, and files that cannot be read or trusted, stop
the run.
"""

from __future__ import annotations

from nethook.config.files import find_routed_ips, read_file
from nethook.config.routed_ips import RoutedIP, parse_routed_ips
from nethook.config.settings import Settings, parse_settings
from nethook.prefixes import Ordered, disjoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nethook.config.problem import Problem
    from nethook.prefix import Prefix

SETTINGS_FILE = "/etc/nethook/nethook.conf"
ROUTED_IPS_FILES = ("/etc/nethook/routed-ips", "/etc/sysconfig/routed-ips", "/etc/default/routed-ips")


class Configuration:
    """What the files say: the settings, the routed IPs, and the problems of the lines that are wrong."""

    __slots__ = ("_doubtful", "_doubtful_around", "_doubts_all", "problems", "routed_ips", "settings")

    def __init__(self, settings: Settings, routed_ips: list[RoutedIP], problems: list[Problem]) -> None:
        self.settings = settings
        self.routed_ips = routed_ips
        self.problems = problems
        # Asked for each object in the kernel, of which there may be as many as problems: so each answer is a look-up.
        self._doubts_all = any(problem.prefix is None for problem in problems)
        self._doubtful = {problem.prefix for problem in problems if problem.prefix}
        self._doubtful_around = Ordered(disjoint(self._doubtful))

    def of(self, families: Collection[int]) -> Configuration:
        """Return the configuration without the lines of other IP families than these (4, 6)."""
        if all(routed.prefix.family in families for routed in self.routed_ips):
            return self
        routed_ips = [routed for routed in self.routed_ips if routed.prefix.family in families]
        return Configuration(self.settings, routed_ips, self.problems)

    def in_doubt(self, prefix: Prefix) -> bool:
        """Return whether a wrong line is, or may be, about this prefix: what the kernel has for it then stays."""
        return self._doubts_all or prefix in self._doubtful

    def in_doubt_within(self, block: Prefix) -> bool:
        """Return whether a wrong line is, or may be, about this block or a prefix around it."""
        return self._doubts_all or self._doubtful_around.around(block) is not None


def load(settings_file: str = SETTINGS_FILE, search: Sequence[str] = ROUTED_IPS_FILES) -> Configuration:
    """Read the configuration of this host. ConfigError or ReadError if it cannot be relied on as a whole."""
    settings = load_settings(settings_file)
    routed_ips, problems = parse_routed_ips(find_routed_ips(settings.routed_ips, search))
    return Configuration(settings, routed_ips, problems)


def load_settings(file: str = SETTINGS_FILE) -> Settings:
    """Read the settings alone. ConfigError or ReadError if they cannot be relied on."""
    content = read_file(file)
    return Settings() if content is None else parse_settings(file, content)


__all__ = ["Configuration", "RoutedIP", "Settings", "load", "load_settings"]
