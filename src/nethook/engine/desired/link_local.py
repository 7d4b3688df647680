"""Bridges that must not learn from frames to link-local groups, because something is bound to a guest there."""

from __future__ import annotations

from nethook.parts.routes import ROUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from nethook.config import RoutedIP
    from nethook.engine.desired.state import Desired
    from nethook.host.host import Host
    from nethook.libvirt.network import Network


def desire_no_learning(
    desired: Desired,
    routed_ips: Iterable[RoutedIP],
    networks: Iterable[Network],
    switched_on: Collection[str],
    host: Host,
) -> None:
    """Add these bridges, and whether the setting must be switched on. ReadError if that cannot be known.

    It stays on a bridge where routes stay that this run does not decide about: their lines may be bound.
    """
    bound = {routed.network for routed in routed_ips if routed.guest}
    needing = {network.bridge for network in networks if network.name in bound}
    if needing:
        learning = {link.name for link in host.links() if link.learns}
        desired.no_learning.update((bridge, bridge in learning) for bridge in needing)
    for _, bridge, _ in desired.kept[ROUTES]:
        if bridge in switched_on:
            desired.no_learning.setdefault(bridge, False)
