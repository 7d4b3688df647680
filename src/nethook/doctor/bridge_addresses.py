"""The station of the addresses of a bridge: whether it still has those that libvirt gave it, the gateways of guests.

libvirt adds them only when the network starts: a restart of its daemon does not, and a restart of the network would
disconnect running guests. Added by hand, they do as before. The kernel makes the route to the subnet with the address,
and dnsmasq, which libvirt runs with --bind-dynamic, listens at new addresses by itself.

https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.doctor.facts import set_sysctl
from nethook.doctor.finding import FAILURE, WARNING, Finding
from nethook.doctor.ip_answers import ask
from nethook.errors import ReadError
from nethook.host.files import sysctl
from nethook.placement.vital import block
from nethook.prefix import Prefix, parse_prefix
from nethook.shell import word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nethook.doctor.facts import AnyTarget, Facts
    from nethook.host import Host
    from nethook.libvirt.live import LiveNetwork

    Held = Iterable[tuple[Prefix, int, str]]
    """Addresses of this host, each with the length of its subnet and its device."""

STATION = "network"
NOWHERE = "nowhere"
"""Stands for the device of a route that leads to none."""


class LostAddress(NamedTuple):
    """An address of libvirt that its bridge has lost, with the ``subnet`` to which the kernel made a route for it."""

    address: str
    length: int
    bridge: str
    subnet: Prefix

    @property
    def what(self) -> str:
        """The clause that says so."""
        return f"{self.bridge} has lost {self.address}/{self.length}, which libvirt gave it"

    @property
    def sentence(self) -> str:
        """The sentence that also says how to give it back."""
        return f"{self.what}: {self.command}"

    @property
    def addition(self) -> str:
        """The command that adds it, if the bridge has the family."""
        return f"ip address add {self.address}/{self.length} dev {word(self.bridge)}"

    @property
    def command(self) -> str:
        """The command that gives it back."""
        off = f"net/ipv6/conf/{self.bridge}/disable_ipv6"
        return f"{set_sysctl(off, 0)} && {self.addition}" if ":" in self.address and sysctl(off) else self.addition


def lost_addresses(live: LiveNetwork, held: Held, family: int) -> list[LostAddress]:
    """Return the addresses of this family (4 or 6) that libvirt has given the bridge of this network, and it lost."""
    if not live.is_active:
        return []
    bridge = live.network.bridge
    wanted = [(parse_prefix(address), length) for address, length in live.addresses]
    there = [(address, length) for address, length, device in held if device == bridge]
    return [
        LostAddress(address.text, length, bridge, block(address, length))
        for address, length in wanted
        if address.family == family and (address, length) not in there
    ]


class LostAddresses:
    """The lost addresses that guests need. Those of an isolated network have no gateway, and need none."""

    def __init__(self, live: Mapping[str, LiveNetwork], held: Held, host: Host) -> None:
        """``live`` are libvirt's networks, ``held`` the addresses of this host."""
        self._live = live
        self._held = list(held)
        self._host = host
        self._lost: dict[tuple[str, int], list[LostAddress]] = {}
        self._devices: dict[str, str] = {}

    def of(self, network: str, family: int) -> list[LostAddress]:
        """Return the lost addresses of this family (4 or 6) of a network."""
        if (network, family) not in self._lost:
            live = self._live.get(network)
            is_used = live is not None and not live.network.is_isolated
            self._lost[network, family] = lost_addresses(live, self._held, family) if live and is_used else []
        return self._lost[network, family]

    def cutting_off(self, network: str, address: str) -> LostAddress | None:
        """Return the lost address without which the host certainly has no route to this address of a guest."""
        guest = parse_prefix(address)
        lost = next((lost for lost in self.of(network, guest.family) if guest.lies_in(lost.subnet)), None)
        return lost if lost and self._device(guest) not in {"", lost.bridge} else None

    def _device(self, guest: Prefix) -> str:
        """Return the device of the host's route to this guest, NOWHERE without one; '' if that is unknown."""
        if guest.text not in self._devices:
            try:
                (way,) = ask(self._host, guest.family, [f"route get {guest}"])
                self._devices[guest.text] = way.first.get("dev", NOWHERE)
            except ReadError:
                self._devices[guest.text] = ""
        return self._devices[guest.text]


def bridge_addresses(facts: Facts, targets: Sequence[AnyTarget]) -> Iterator[Finding]:
    """Yield what these targets, whose networks are up, lose with the lost addresses of their bridges.

    A guest to which ports are forwarded cannot be reached. A guest with a routed address may have another gateway.
    """
    known = LostAddresses(facts.live, facts.own_addresses, facts.tools)
    for target in targets:
        network = target.line.network
        for lost in known.of(network, target.family):
            if target.is_forwarded and lost is known.cutting_off(network, target.address):
                verdict, text = FAILURE, f"{lost.what}: the host has no route to guests in {lost.subnet}"
            else:
                ours = "" if target.is_forwarded else facts.settings.gateway(target.family)
                others = f", unlike those with the gateway {ours}" if ours else ""
                verdict, text = WARNING, f"{lost.what}: guests with this gateway cannot answer{others}"
            yield Finding(
                verdict,
                STATION,
                text,
                command=lost.command,
                advice="neither the network nor libvirt needs a restart",
                addresses=[target.name],
                is_silence=True,
            )
