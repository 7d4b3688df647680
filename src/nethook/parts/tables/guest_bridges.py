"""The bridges with guests behind them, which our table has to know: what it does not know passes for the outside.

The first thing that a run does, and the last: no configuration is needed for it, no lock, and no tool. So it is done
over netlink, which also takes names that nft cannot say (``"`` has no escape in its strings). Adding is idempotent and
harmless; a table that is not there gets all bridges when it is made.
"""

from __future__ import annotations

from nethook.net import NAME_SIZE, can_exist, is_sayable
from nethook.parts.tables.classifying import BRIDGES, FAMILY, ISOLATED, SETS
from nethook.steps import ADD, REMOVE, Effect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from nethook.host.host import Host
    from nethook.placement.scope import Scope

KINDS = {BRIDGES: "bridge", ISOLATED: "isolated"}
"""What effects call the elements of each set."""


def protect(host: Host, known: Collection[tuple[str, bool]], scope: Scope | None = None) -> list[Effect]:
    """Add those of these bridges (True: isolated) that our table lacks, if it is there. Returns what was changed.

    With a scope, bridges in it that are not known are deleted, if nft cannot say their names: all others are a run's
    own business. ReadError if the kernel refuses.
    """
    there = host.elements(FAMILY, {name: SETS[name] for name in KINDS})
    if there is None:
        return []
    known = [(name, is_isolated) for name, is_isolated in known if can_exist(name)]
    wanted = {BRIDGES: {name for name, _ in known}, ISOLATED: {name for name, is_isolated in known if is_isolated}}
    new, gone = {}, {}
    effects = []
    for name, bridges in wanted.items():
        found = {bridge for (bridge,) in there[name]}
        lacking = sorted(bridges - found)
        surplus = sorted(name for name in found - bridges if scope and scope.has(name) and not is_sayable(name))
        new[name], gone[name] = ([_key(bridge) for bridge in some] for some in (lacking, surplus))
        for sign, some in ((ADD, lacking), (REMOVE, surplus)):
            effects += [Effect(sign, KINDS[name], bridge=bridge) for bridge in some]
    if effects:
        host.change_elements(FAMILY, new, gone)
    return effects


def _key(bridge: str) -> bytes:
    return bridge.encode("utf-8", "surrogateescape").ljust(NAME_SIZE, b"\0")
