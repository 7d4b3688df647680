"""The kinds of objects of ours that ``ip`` makes, in the order in which they are made; they go the other way round."""

from __future__ import annotations

from nethook.kernel.fallback_rules import FALLBACK_RULES
from nethook.kernel.fallbacks import FALLBACKS
from nethook.kernel.gateways import GATEWAYS
from nethook.kernel.neighbours import NEIGHBOURS
from nethook.kernel.proxies import PROXIES
from nethook.kernel.routes import ROUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.kernel.kind import Key, Kind

    Objects = dict[Kind, set[Key]]

KINDS: tuple[Kind, ...] = (FALLBACKS, FALLBACK_RULES, GATEWAYS, NEIGHBOURS, ROUTES, PROXIES)
