"""Short ways to write configuration lines in tests."""

from __future__ import annotations

from nethook.config import Configuration, RoutedIP, Settings
from nethook.config.routed_ips import parse_routed_ips


def configuration(text: str) -> Configuration:
    """The configuration that a file ``routed-ips`` with this text makes, with default settings."""
    routed_ips, problems = parse_routed_ips([("routed-ips", text.encode())])
    return Configuration(Settings(), routed_ips, problems)


def routed(text: str) -> list[RoutedIP]:
    """The lines of a file without mistakes."""
    result = configuration(text)
    assert result.problems == []
    return result.routed_ips
