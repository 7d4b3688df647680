"""What should be: the one thing that all parts fill in, and that is then compared with what is there."""

from __future__ import annotations

from nethook.engine.desired.bindings import Bindings
from nethook.parts.kinds import KINDS
from nethook.parts.neighbours import NEIGHBOURS
from nethook.parts.routes import ROUTES
from nethook.parts.tables.ruleset import FAMILIES, SETS, set_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.config import RoutedIP
    from nethook.host.nftables import Elements
    from nethook.parts.kind import Key, Kind
    from nethook.parts.switches import Values


class Desired:
    """What should be: objects and elements, what is bound to guests, and settings of the kernel."""

    __slots__ = ("bindings", "elements", "ipv6", "kept", "no_learning", "objects", "proxy_ndp", "taken")

    def __init__(self) -> None:
        self.bindings = Bindings()
        self.objects: dict[Kind, dict[Key, RoutedIP]] = {kind: {} for kind in KINDS}
        """With the line that wants each."""
        self.objects[NEIGHBOURS] = self.bindings.pins
        self.kept: dict[Kind, set[Key]] = {kind: set() for kind in KINDS}
        """Objects that are there, and stay although no line is known to want them."""
        self.elements: Elements = {name: set() for name in SETS}
        """Of the table in which packets are classified."""
        self.ipv6: dict[str, Values] = {}
        """The bridges that need IPv6, with what turns it on where it is off."""
        self.no_learning: dict[str, bool] = {}
        """The bridges that must not learn from link-local frames, and whether that is to be switched on."""
        self.proxy_ndp: list[str] = []
        """The uplinks that need it and do not have it."""
        self.taken: dict[tuple[str, str], str] = {}
        """Gateways, by address and bridge, that are not to be there, with the device that has the address already."""

    @property
    def families(self) -> set[int]:
        """The IP families (4, 6) of all that lines want, or that stays because of a wrong line."""
        names = {name for name, members in self.elements.items() if members}
        return {
            family
            for family, _ in FAMILIES
            for kind in ("routed", "to")
            for single in (True, False)
            if set_name(kind, family, single=single) in names
        }

    @property
    def routes(self) -> dict[Key, RoutedIP]:
        """The routes among the objects."""
        return self.objects[ROUTES]
