"""A fallback route for each line, so that an address without network or guest is answered with an error. Pure."""

from __future__ import annotations

from nethook.parts.fallbacks import FALLBACKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.config import RoutedIP
    from nethook.engine.desired.state import Desired
    from nethook.placement.scope import Scope


def desire_fallbacks(desired: Desired, routed_ips: Iterable[RoutedIP], scope: Scope) -> None:
    """Want a fallback route for each line, whatever networks are up; those of other networks stay as they are."""
    for routed in routed_ips:
        key = (routed.prefix.text, "")
        if scope.has_network(routed.network):
            desired.objects[FALLBACKS][key] = routed
        else:
            desired.kept[FALLBACKS].add(key)
