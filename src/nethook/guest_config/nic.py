"""The NIC of a guest with its addresses and routes, and the formats that make text of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.prefix import is_link_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

BEFORE_ADVERTISED = 50
"""Metric of an IPv6 default route that precedes one by router advertisement, which has 100 or more."""

ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}


class Default(NamedTuple):
    """The default route of an IP family: its next hop, which is on the link, and the guest's source address ('': any).

    ``metric`` is set if there may be another default route.
    """

    family: int
    via: str
    source: str
    metric: int | None

    @property
    def needs_nic(self) -> bool:
        """True if ``via`` is an IPv6 address that each link may have, so that the route must name the NIC."""
        return self.family == 6 and is_link_local(self.via)

    @property
    def to(self) -> str:
        """The prefix of all addresses of the family."""
        return ANYWHERE[self.family]


class Nic(NamedTuple):
    """A NIC of a guest, and its configuration.

    ``routed`` and ``private`` are addresses with length. The first routed address of a family is the guest's source
    address. ``gateways`` has the gateway for each family of these addresses. ``automatic`` are the families in which
    the NIC gets a private address by DHCP or by router advertisements. ``mac`` may be '', ``interface`` may not.
    """

    interface: str
    mac: str
    routed: Sequence[str]
    gateways: Mapping[int, str]
    private: Sequence[str] = ()
    automatic: frozenset[int] = frozenset()
    dns: Sequence[str] = ()

    def addresses(self, family: int) -> list[str]:
        """Return all fixed addresses of the family with length, routed ones first."""
        return [address for address in (*self.routed, *self.private) if family_of(address) == family]

    @property
    def all_addresses(self) -> list[str]:
        """The fixed addresses of both families with length, IPv4 first."""
        return [*self.addresses(4), *self.addresses(6)]

    def default(self, family: int) -> Default | None:
        """Return the default route of the family; None without a fixed address."""
        if not self.addresses(family):
            return None
        routed = [address for address in self.routed if family_of(address) == family]
        source = bare(routed[0]) if routed else ""
        metric = BEFORE_ADVERTISED if family == 6 and family in self.automatic else None
        return Default(family, self.gateways[family], source, metric)

    @property
    def defaults(self) -> list[Default]:
        """The default routes of both families."""
        return [default for default in (self.default(4), self.default(6)) if default]


class Format(NamedTuple):
    """The format of a system's configuration; ``lines`` returns the lines of the configuration."""

    title: str
    """The systems that have it, for people."""
    path: str
    """The file in the guest, with the name of its NIC for ``{}``; '' if it is no file."""
    lines: Callable[[Nic], Iterable[str]]
    interface: str
    """The usual name of a guest's NIC in this system."""
    keeps_dhcp: bool
    """The format can take an address from DHCP without a default route."""
    matches_mac: bool
    """The format finds a NIC by its MAC address; otherwise by its name."""

    def text(self, nic: Nic) -> str:
        """Return the configuration, which ends with a line break."""
        return "".join(f"{line}\n" for line in self.lines(nic))


def by_hand(nic: Nic) -> Iterator[str]:
    """Yield comments for what the format cannot configure: the NIC's MAC address, and lines for resolv.conf."""
    if nic.mac:
        yield f"# {nic.interface} is the NIC {nic.mac}"
    if nic.dns:
        yield "# /etc/resolv.conf:"
    for server in nic.dns:
        yield f"#   nameserver {server}"


def family_of(address: str) -> int:
    """Return the IP family of an address: 4 or 6."""
    return 6 if ":" in address else 4


def bare(address: str) -> str:
    """Return the address without its length."""
    return address.partition("/")[0]


def length_of(address: str) -> str:
    """Return the length of an address with length."""
    return address.partition("/")[2]
