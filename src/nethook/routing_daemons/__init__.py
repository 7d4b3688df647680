"""Routing daemons that announce our routes: what their configuration is, and what they announce.

A module for each daemon has ``configuration``, which marks what is announced: so a host knows the routes of its fellow
hosts. While another one announces an address, it does not announce it as well. So during a live migration, the target
waits until the source has withdrawn it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from nethook.prefix import Prefix

DAEMONS = ("bird", "frr")
COMMUNITY = (64512, 218)
"""The BGP community of our routes. 64512 is an AS number for private use (RFC 6996)."""
OSPF_TAG = 218
"""The same for OSPF."""


class Neighbor(NamedTuple):
    """A router to which the host has a BGP session, and its AS number, 0 for any but the host's own."""

    address: str
    asn: int

    @property
    def family(self) -> int:
        """The IP family, 4 or 6."""
        return 6 if ":" in self.address else 4


class Wanted(NamedTuple):
    """The content of a configuration.

    ``prefixes`` are in order, ``bridges`` those of the networks of their lines; ``protocol`` is that of our routes.
    ``asn`` is the host's own AS number, 0 without BGP sessions. ``command`` makes this configuration.
    """

    prefixes: Sequence[Prefix]
    bridges: Sequence[str]
    protocol: int
    asn: int
    neighbors: Sequence[Neighbor]
    has_bfd: bool
    command: str

    @property
    def families(self) -> list[int]:
        """The IP families (4, 6) of the prefixes."""
        return sorted({prefix.family for prefix in self.prefixes})

    def of(self, family: int) -> list[str]:
        """Return the prefixes of this family, with their length."""
        return [
            f"{prefix.text}/{(32, 128)[family == 6]}" if prefix.is_address else prefix.text
            for prefix in self.prefixes
            if prefix.family == family
        ]

    def neighbors_of(self, family: int) -> list[Neighbor]:
        """Return the neighbors of this family."""
        return [neighbor for neighbor in self.neighbors if neighbor.family == family]


def daemon_named(name: str) -> ModuleType:
    """Return the module of this daemon, which is one of DAEMONS."""
    return import_module(f"{__name__}.{name}")
