"""The bridges with guests behind them, which our table has to know: what it does not know passes for the outside.

The first thing that a run does, and the last: no configuration is needed for it, no lock, and no tool. So it is done
over netlink, which also takes names that nft cannot say (``"`` has no escape in its strings). Adding is idempotent and
harmless; a table that is not there gets all bridges when it is made.
"""

from __future__ import annotations

from nethook.host.device import NAME_SIZE, can_exist, is_sayable
from nethook.host.layout import NAME
from nethook.host.netlink import GET_ELEMENTS, Nftables
from nethook.host.table import elements
from nethook.parts.tables.ruleset import BRIDGES, FAMILY, ISOLATED, SETS
from nethook.steps.effect import ADD, REMOVE, Effect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from nethook.placement.scope import Scope

KINDS = {BRIDGES: "bridge", ISOLATED: "isolated"}
"""What effects call the elements of each set."""


def protect(known: Collection[tuple[str, bool]], scope: Scope | None = None) -> list[Effect]:
    """Add those of these bridges (True: isolated) that our table lacks, if it is there. Returns what was changed.

    With a scope, bridges in it that are not known are deleted, if nft cannot say their names: all others are a run's
    own business. ReadError if the kernel refuses.
    """
    known = [(name, is_isolated) for name, is_isolated in known if can_exist(name)]
    wanted = {BRIDGES: {name for name, _ in known}, ISOLATED: {name for name, is_isolated in known if is_isolated}}
    new, gone = {}, {}
    effects = []
    with Nftables(FAMILY) as nftables:
        for name, bridges in wanted.items():
            dumped = nftables.dump(GET_ELEMENTS, NAME, name)
            if dumped is None:
                return []
            there = {bridge for (bridge,) in elements(SETS[name], dumped)}
            lacking = sorted(bridges - there)
            surplus = sorted(name for name in there - bridges if scope and scope.has(name) and not is_sayable(name))
            new[name], gone[name] = ([_key(bridge) for bridge in some] for some in (lacking, surplus))
            for sign, some in ((ADD, lacking), (REMOVE, surplus)):
                effects += [Effect(sign, KINDS[name], bridge=bridge) for bridge in some]
        nftables.change(NAME, new, gone)
    return effects


def _key(bridge: str) -> bytes:
    return bridge.encode("utf-8", "surrogateescape").ljust(NAME_SIZE, b"\0")
