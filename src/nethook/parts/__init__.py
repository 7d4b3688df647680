"""Our objects in the kernel, a room for each part: the registry.

Objects are made in this order, and go in the opposite one.
"""

from __future__ import annotations

from nethook.parts.binding import BINDING
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.fallbacks import FALLBACK_RULES, FALLBACKS
from nethook.parts.flows import FLOWS
from nethook.parts.forwards import FORWARDS4, FORWARDS6
from nethook.parts.gateways import ARP, GATEWAYS
from nethook.parts.neighbours import NEIGHBOURS, PROXIES
from nethook.parts.routes import ROUTES
from nethook.parts.switches import IPV6, NO_LINKLOCAL_LEARN, PROXY_NDP_SWITCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.parts.part import Part

PARTS: tuple[Part, ...] = (
    CLASSIFYING,
    ARP,
    PROXY_NDP_SWITCH,
    IPV6,
    NO_LINKLOCAL_LEARN,
    FALLBACKS,
    FALLBACK_RULES,
    GATEWAYS,
    NEIGHBOURS,
    ROUTES,
    PROXIES,
    BINDING,
    FORWARDS4,
    FORWARDS6,
    FLOWS,
)
