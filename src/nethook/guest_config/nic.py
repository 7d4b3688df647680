"""A NIC of a guest, and what is to be configured of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

BEFORE_ADVERTISED = 50
"""Metric of an IPv6 default route that has to come before one by router advertisement, which has 100 or more."""

ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


class Default(NamedTuple):
    """The default route of a family: next hop, on the link, and the address that the guest uses of itself ('': any).

    ``metric`` is given where there may be another default route.
    """

    family: int
    via: str
    source: str
    metric: int | None

    @property
    def to(self) -> str:
        """All addresses of the family."""
        return ANYWHERE[self.family]


class Nic(NamedTuple):
    """What is to be configured.

    ``routed`` and ``private`` are addresses with length; of the routed ones of a family, the first is what the guest
    uses of itself. ``gateways`` has one for each family of these. ``automatic`` are the families of which the network
    gives private addresses by itself, by DHCP and by router advertisements. ``mac`` may be '', ``interface`` not.
    """

    interface: str
    mac: str
    routed: Sequence[str]
    gateways: Mapping[int, str]
    private: Sequence[str] = ()
    automatic: frozenset[int] = frozenset()
    dns: Sequence[str] = ()

    def addresses(self, family: int) -> list[str]:
        """All that are configured, with length: routed ones first."""
        return [address for address in (*self.routed, *self.private) if family_of(address) == family]

    @property
    def all_addresses(self) -> list[str]:
        """Those of both families, IPv4 first."""
        return [*self.addresses(4), *self.addresses(6)]

    def default(self, family: int) -> Default | None:
        """The default route; None for a family without addresses, and where it comes with automatic ones."""
        if not self.addresses(family):
            return None
        routed = [address for address in self.routed if family_of(address) == family]
        source = bare(routed[0]) if routed else ""
        metric = BEFORE_ADVERTISED if family == 6 and family in self.automatic else None
        return Default(family, self.gateways[family], source, metric)

    @property
    def defaults(self) -> list[Default]:
        """Those of both families."""
        return [default for default in (self.default(4), self.default(6)) if default]


class Format(NamedTuple):
    """How a system is configured: ``lines`` are those of the whole configuration."""

    lines: Callable[[Nic], Iterable[str]]
    interface: str
    """What the NIC of a guest is usually called there."""
    keeps_dhcp: bool
    """Whether it can be said that an address comes by DHCP, and the default route not."""
    matches_mac: bool
    """Whether a NIC can be told by its MAC address there; else its name counts."""

    def text(self, nic: Nic) -> str:
        """The configuration, which ends with a line break."""
        return "".join(f"{line}\n" for line in self.lines(nic))


def by_hand(nic: Nic) -> Iterator[str]:
    """What a file without a place for it can only say in comments: which NIC it is, and what goes into resolv.conf."""
    if nic.mac:
        yield f"# {nic.interface} is the NIC {nic.mac}"
    if nic.dns:
        yield "# /etc/resolv.conf:"
    for server in nic.dns:
        yield f"#   nameserver {server}"


def family_of(address: str) -> int:
    """4 or 6."""
    return 6 if ":" in address else 4


def bare(address: str) -> str:
    """Without its length."""
    return address.partition("/")[0]


def length_of(address: str) -> str:
    """The length alone."""
    return address.partition("/")[2]
