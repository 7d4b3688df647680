"""Proxy entries, where a line says that the uplink is to answer ARP or NDP for its address."""

from __future__ import annotations

from nethook.net.prefix import parse_prefix
from nethook.net.prefixes import Longest
from nethook.parts import switches
from nethook.parts.proxies import PROXIES
from nethook.parts.routes import ROUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from nethook.config import RoutedIP
    from nethook.engine.desired.state import Desired
    from nethook.host.host import Host
    from nethook.parts.kind import Key
    from nethook.placement.scope import Scope


def desire_proxies(
    desired: Desired, routed_ips: Sequence[RoutedIP], scope: Scope, present: Set[Key], host: Host
) -> None:
    """A proxy entry for each address that a line wants one for, and that is routed.

    Of those that are ``present``, the ones of lines stay that this run does not decide about.
    """
    if not present and not any(routed.proxy for routed in routed_ips):  # as on most hosts
        return
    proxies = desired.objects[PROXIES]
    routed_now = set(map(id, desired.routes.values()))
    stay = {route[0] for route in desired.kept[ROUTES]}
    undecided = {
        routed.prefix for routed in routed_ips if not scope.has_network(routed.network) or routed.prefix.text in stay
    }
    for routed in routed_ips:
        if routed.proxy and id(routed) in routed_now:
            proxies.update({(address, "", routed.proxy): routed for address in routed.prefix.addresses()})
    prefixes = Longest(routed.prefix for routed in routed_ips)
    desired.kept[PROXIES].update(
        key for key in present - proxies.keys() if prefixes.around(parse_prefix(key[0])) in undecided
    )
    uplinks = {uplink for address, _, uplink in proxies if ":" in address}
    desired.proxy_ndp = sorted(uplink for uplink in uplinks if switches.is_proxy_ndp_off(host, uplink))
