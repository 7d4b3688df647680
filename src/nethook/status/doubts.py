"""Doubts about lines that may not be reached, although nothing certain keeps them from it: they get a sentence."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from nethook.doctor.facts import SOMEBODY
from nethook.doctor.ip_answers import ask
from nethook.errors import ReadError

if TYPE_CHECKING:
    from nethook.config import RoutedIP
    from nethook.config.text import Entry
    from nethook.doctor.uplink_subnets import UplinkSubnets
    from nethook.host import Host
    from nethook.prefix import Prefix

SECONDS = 60.0
"""The age of the kernel's word that a neighbour does not answer, until which it is told."""
NO_ROUTE = frozenset({"Network is unreachable", "No route to host"})
"""The kernel's errors where no route leads, or one of type unreachable (fib_props in the kernel)."""


class Doubts:
    """The doubts on this host."""

    def __init__(self, subnets: UplinkSubnets, host: Host) -> None:
        self._host = host
        self._subnets = subnets
        self._ways_out: dict[tuple[int, str], bool] = {}

    def of(self, line: RoutedIP, bridge: str) -> str:
        """Return a sentence about what may keep this line from being reached; '' without a doubt."""
        hop = line.via or line.prefix.text
        if (hop, bridge) in self._unanswered:
            return f"nobody on {bridge} has answered for {hop} within the last {SECONDS:.0f} s: run nethook doctor"
        if not self._leads_out(line.prefix, bridge):
            return f"no IPv{line.prefix.family} route leads from {bridge} to the Internet: run nethook doctor"
        return self.of_neighbours(line)

    def of_neighbours(self, line: Entry) -> str:
        """Return a sentence if the uplink's neighbours ask for the address of this line, and nobody answers."""
        device = self._subnets.unanswered(line)
        return device and (
            f"it is in the subnet of {device}, where the host answers for it only with proxy={device}: "
            "write that, unless the provider routes it to this host"
        )

    def _leads_out(self, prefix: Prefix, bridge: str) -> bool:
        """Return whether what guests answer finds a route; asked once for each family and bridge."""
        family = prefix.family
        if (family, bridge) not in self._ways_out:
            try:
                (way,) = ask(self._host, family, [f"route get {SOMEBODY[family]} from {prefix.text} iif {bridge}"])
            except ReadError:
                return True
            self._ways_out[family, bridge] = way.error not in NO_ROUTE
        return self._ways_out[family, bridge]

    @cached_property
    def _unanswered(self) -> set[tuple[str, str]]:
        return self._host.unanswered(SECONDS)
