"""The errors of this program. Each class tells the reader what to do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config.settings import Settings
    from nethook.config.text import Problem


class NethookError(Exception):
    """Base of all errors. The text is one sentence for the administrator of the host."""


class ConfigError(NethookError):
    """The configuration cannot be relied on, so nothing was changed; ``problems`` are its mistakes.

    ``settings`` has those that are right, if some are wrong, for whatever must tell of the mistakes.
    """

    def __init__(self, problems: Sequence[Problem], settings: Settings | None = None) -> None:
        others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{others}")
        self.problems = problems
        self.settings = settings


class ReadError(NethookError):
    """The state of the host could not be read, so nothing was changed."""
