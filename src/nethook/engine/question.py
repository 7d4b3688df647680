"""The question of a run: what it is about. It is known before anything is read, and says what has to be read."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config import Configuration
    from nethook.host.addresses import Address
    from nethook.host.host import Host
    from nethook.host.links import Link
    from nethook.libvirt.network import Network
    from nethook.placement.scope import Scope


class Question:
    """What a run is about: the files, exactly these ``networks`` of the ``scope`` are up, all of which have a bridge.

    ``is_thorough``: look at everything, also at what others have in the place of ours, which takes time that an event
    does not have. ``again``: the first attempt did not work out. A table that could not be mended is made anew, and
    what may have failed alone is kept apart. ``clears``: nothing of ours is wanted.
    """

    def __init__(
        self,
        configuration: Configuration,
        networks: Sequence[Network],
        scope: Scope,
        host: Host,
        *,
        is_thorough: bool = False,
        again: bool = False,
        clears: bool = False,
    ) -> None:
        self.families = host.families()
        self.configuration = configuration.of(self.families)
        self.networks = networks
        self.scope = scope
        self.is_thorough = is_thorough
        self.again = again
        self.clears = clears
        self.protocol = configuration.settings.route_protocol
        self._host = host
        self._addresses: Sequence[Address] | None = None
        self._links: Sequence[Link] | None = None

    @property
    def addresses(self) -> Sequence[Address]:
        """The addresses of this host, read once; ReadError if they cannot be known."""
        if self._addresses is None:
            self._addresses = self._host.addresses()
        return self._addresses

    @property
    def links(self) -> Sequence[Link]:
        """The network devices, read once; ReadError if they cannot be known."""
        if self._links is None:
            self._links = self._host.links()
        return self._links
