"""A libvirt network, as far as routing to it is concerned."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.prefix import Prefix

MANAGED_MODES = frozenset({"", "nat", "route", "open"})
"""Forward modes for which libvirt makes the bridge itself ('' is an isolated network, without ``<forward>``)."""


class Network:
    """A network: its name, the device of its bridge ('' if it has none), and its forward mode ('' if isolated).

    ``subnets`` are those of its ``<ip>`` elements.

    https://libvirt.org/formatnetwork.html
    """

    __slots__ = ("bridge", "forward_mode", "name", "subnets")

    def __init__(self, name: str, bridge: str, forward_mode: str, subnets: Sequence[Prefix] = ()) -> None:
        self.name = name
        self.bridge = bridge
        self.forward_mode = forward_mode
        self.subnets = subnets

    @property
    def is_libvirts_own(self) -> bool:
        """Whether behind the bridge are guests alone: a bridge that the host brings may have an uplink as its port."""
        return self.forward_mode in MANAGED_MODES

    @property
    def is_isolated(self) -> bool:
        """Whether its guests must reach nobody but each other and the host."""
        return self.forward_mode == ""
