"""Short ways to write configuration lines in tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config import Configuration, RoutedIP, Settings
from nethook.config.forwarded_ports import parse_forwarded_ports
from nethook.config.routed_ips import parse_routed_ips

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config.forwarded_ports import Forward
    from nethook.config.text import Problem


def configuration(text: str, settings: Settings | None = None) -> Configuration:
    """The configuration that a file ``routed-ips`` with this text makes, with default settings."""
    routed_ips, problems = parse_routed_ips([("routed-ips", text.encode())])
    return Configuration(settings or Settings(), routed_ips, problems)


def configured(lines: Sequence[RoutedIP], problems: Sequence[Problem] = ()) -> Configuration:
    """The configuration with exactly these lines."""
    return Configuration(Settings(), list(lines), list(problems))


def routed(text: str) -> list[RoutedIP]:
    """The lines of a file without mistakes."""
    result = configuration(text)
    assert result.problems == []
    return result.routed_ips


def forwarded(text: str) -> list[Forward]:
    """The lines of a file ``forwarded-ports`` without mistakes."""
    found, problems = parse_forwarded_ports([("forwarded-ports", text.encode())])
    assert problems == []
    return found
