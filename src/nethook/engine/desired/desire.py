"""Puts together what should be."""

from __future__ import annotations

from nethook.engine.desired.bindings import decided_blocks, keep_bindings, rebind
from nethook.engine.desired.fallbacks import desire_fallbacks
from nethook.engine.desired.gateways import desire_gateways, leave_to_others
from nethook.engine.desired.ipv6 import desire_ipv6
from nethook.engine.desired.lines import desire_lines, introduce
from nethook.engine.desired.link_local import desire_no_learning
from nethook.engine.desired.proxies import desire_proxies
from nethook.engine.desired.state import Desired
from nethook.parts.fallbacks import FALLBACKS
from nethook.parts.proxies import PROXIES
from nethook.parts.routes import ROUTES
from nethook.placement.bound import apart, blocks, held
from nethook.placement.doubt import in_doubt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config import Configuration
    from nethook.engine.present import Present
    from nethook.host.host import Host
    from nethook.libvirt.network import Network
    from nethook.placement.scope import Scope


def desire(
    configuration: Configuration, networks: Sequence[Network], scope: Scope, present: Present, host: Host
) -> Desired:
    """What should be within the scope, when exactly these networks of it are up, all of which have a bridge.

    What is ``present`` tells what stays because nobody knows better. ReadError if what it takes cannot be known.
    """
    settings, routed_ips = configuration.settings, configuration.routed_ips
    desired = Desired()
    up = {network.bridge for network in networks}
    doubtful = in_doubt(present.routes, configuration, configuration.in_doubt)
    desired.kept[ROUTES].update(route for route in doubtful if route[1] in up)
    desired.kept[FALLBACKS].update(in_doubt(present.objects[FALLBACKS], configuration, configuration.in_doubt))
    # of a wrong line with a prefix there is an entry for each address
    desired.kept[PROXIES].update(in_doubt(present.objects[PROXIES], configuration, configuration.in_doubt_within))

    bound = blocks(routed_ips)
    holders = held(bound, present.holders)
    decided, undecided = decided_blocks(bound, routed_ips, networks, scope, holders=holders, routes=present.routes)
    desired.kept[ROUTES].update(undecided)
    desired.kept[ROUTES].update(route for route in present.routes if route[0] in scope.unresolved)
    desired.kept[ROUTES].update(  # of networks with which one of these shares its bridge
        route for route in present.routes if scope.has(route[1]) and not scope.covers(route[0], route[1])
    )
    if present.table is None:  # new, or somebody deleted it: what it held of other networks is in routes
        _keep_routes_outside(desired, configuration, networks, scope, present)
    introduce(desired.elements, scope)
    desire_lines(desired, routed_ips, networks, guarded=doubtful.values(), decided=decided, holders=holders)
    if bound or present.binding:
        desired.bindings.name(routed_ips, bound, apart(routed_ips))
        keep_bindings(desired, present, configuration.in_doubt_within)
        if present.binding is None:
            rebind(desired.bindings, present, routed_ips, bound, scope)

    desire_no_learning(desired, routed_ips, networks, present.no_learning, host)
    desire_ipv6(desired, networks, scope, has_gateway=settings.gateway6 is not None, host=host)
    desire_gateways(desired, settings, present.opened)
    leave_to_others(desired, present, settings.route_protocol, host)
    desire_fallbacks(desired, routed_ips, scope)
    desire_proxies(desired, routed_ips, scope, present.objects[PROXIES], host)
    return desired


def _keep_routes_outside(
    desired: Desired, configuration: Configuration, networks: Sequence[Network], scope: Scope, present: Present
) -> None:
    names = {network.name for network in networks}
    here = {routed.prefix.text for routed in configuration.routed_ips if routed.network in names}
    here.update(route[0] for route in desired.kept[ROUTES])
    desired.kept[ROUTES].update(route for route in present.routes if not scope.has(route[1]) and route[0] not in here)
