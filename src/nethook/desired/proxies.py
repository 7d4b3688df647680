"""Proxy entries, where a line says that the uplink is to answer ARP or NDP for its address."""

from __future__ import annotations

from nethook.kernel import proxy_ndp
from nethook.kernel.proxies import PROXIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.config import RoutedIP
    from nethook.desired.state import Desired
    from nethook.kernel.kind import Key
    from nethook.scope import Scope


def desire_proxies(desired: Desired, routed_ips: Iterable[RoutedIP], scope: Scope) -> None:
    """A proxy entry for each address that a line wants one for, and that is routed; other networks' ones stay."""
    routed_ips = [routed for routed in routed_ips if routed.proxy]
    if not routed_ips:  # as on most hosts
        return
    proxies = desired.objects[PROXIES]
    routed_now = set(map(id, desired.routes.values()))
    for routed in routed_ips:
        keys: list[Key] = [(address, "", str(routed.proxy)) for address in routed.prefix.addresses()]
        if not scope.has_network(routed.network):
            desired.kept[PROXIES].update(keys)
        elif id(routed) in routed_now:
            proxies.update(dict.fromkeys(keys, routed))
    uplinks = {uplink for address, _, uplink in proxies if ":" in address}
    desired.proxy_ndp = sorted(uplink for uplink in uplinks if proxy_ndp.is_off(uplink))
