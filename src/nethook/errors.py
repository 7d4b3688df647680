"""The errors of this program, by what the person who reads them should do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config.problem import Problem


class NethookError(Exception):
    """Base of all: its text is one sentence for the person who administers the host."""


class ConfigError(NethookError):
    """The configuration cannot be relied on, so nothing was changed; ``problems`` says what to mend."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{others}")
        self.problems = problems


class ReadError(NethookError):
    """The state of the host could not be read, so nothing was changed."""
