"""Short ways to write configuration lines in tests, and what they want."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config import Configuration, RoutedIP, Settings
from nethook.config.routed_ips import parse_routed_ips
from nethook.engine.desired import Desired
from nethook.engine.desired.lines import desire_lines, introduce
from nethook.parts.routes import ROUTES
from nethook.placement.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.libvirt.network import Network
    from nethook.net.prefix import Prefix
    from nethook.parts.kind import Key
    from nethook.placement.bound import Blocks


def configuration(text: str) -> Configuration:
    """The configuration that a file ``routed-ips`` with this text makes, with default settings."""
    routed_ips, problems = parse_routed_ips([("routed-ips", text.encode())])
    return Configuration(Settings(), routed_ips, problems)


def routed(text: str) -> list[RoutedIP]:
    """The lines of a file without mistakes."""
    result = configuration(text)
    assert result.problems == []
    return result.routed_ips


def desired_by(
    routed_ips: Sequence[RoutedIP],
    networks: Iterable[Network],
    *,
    kept: Iterable[Key] = (),
    guarded: Iterable[Prefix] = (),
    bound: Blocks | None = None,
) -> Desired:
    """What lines want when these networks are up; ``kept`` are routes, ``bound`` the blocks of bound lines."""
    desired = Desired()
    desired.kept[ROUTES].update(kept)
    introduce(desired.elements, Scope(known=list(networks)))
    desire_lines(desired, routed_ips, networks, guarded=guarded, decided=bound or {}, holders={})
    return desired
