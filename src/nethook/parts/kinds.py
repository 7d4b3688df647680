"""The kinds of objects of ours that ``ip`` makes, in the order in which they are made; they go the other way round."""

from __future__ import annotations

from nethook.parts.fallback_rules import FALLBACK_RULES
from nethook.parts.fallbacks import FALLBACKS
from nethook.parts.gateways import GATEWAYS
from nethook.parts.neighbours import NEIGHBOURS
from nethook.parts.proxies import PROXIES
from nethook.parts.routes import ROUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.parts.kind import Key, Kind

    Objects = dict[Kind, set[Key]]

KINDS: tuple[Kind, ...] = (FALLBACKS, FALLBACK_RULES, GATEWAYS, NEIGHBOURS, ROUTES, PROXIES)
