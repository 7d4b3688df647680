"""What all formats have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nethook.guest_config.nic import Nic


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
