"""``nethook guest-config``: print the configuration that a guest needs, ready to paste."""

from __future__ import annotations

import json
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nethook.config import load
from nethook.config.text import one_line, suggestion
from nethook.errors import NethookError
from nethook.exit_status import OK
from nethook.guest_config import FORMATS, JSON, configurations, format_named
from nethook.guest_config.nic import Nic, family_of
from nethook.guest_config.resolvers import resolvers
from nethook.guest_config.selection import select
from nethook.host import Host
from nethook.libvirt.live import LibvirtError, live_guests, live_networks
from nethook.prefix import BITS, Prefix, address_text, parse_address

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Sequence

    from nethook.config import Configuration, Settings
    from nethook.guest_config.selection import Selection
    from nethook.libvirt.live import LiveGuest, LiveNetwork

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""
HINTS = {
    "debian": "as Debian's installer sets up a guest; if it is from a cloud image of Debian: --format debian-cloud"
}
"""What to say of a system that has several formats."""
DHCP = "dhcp"
"""The value of --private that stands for an address by DHCP."""

MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()-]*")
"""Names that need no quotes in any format. Those of Windows have spaces."""


def run(options: Namespace) -> int:
    """Print the configuration on stdout, and assumptions on stderr."""
    chosen = None if options.format == JSON else format_named(options.format)
    configuration = load(Host(0))
    said = {word: _if_forwarded(word, configuration) for word in options.wanted}
    if not all(said.values()):  # with an address, the name of a guest says who gets it
        guests = {line.guest for line in configuration.forwards}
        said.update((word, "") for word in said if word in guests)
    wanted = [word for word in said if not said[word]]
    for sentence in filter(None, said.values()):
        _remark(sentence)
    if not wanted:
        if not chosen:
            print(json.dumps({"version": VERSION, "addresses": [], "remarks": [*said.values()], "configurations": []}))
        return OK
    selection = select(wanted, configuration.routed_ips)
    wants_dhcp = DHCP in options.private
    if wants_dhcp and chosen and not chosen.keeps_dhcp:
        able = ", ".join(name for name in FORMATS if format_named(name).keeps_dhcp)
        raise NethookError(
            f"{options.format} cannot combine DHCP with these addresses: write --private ADDRESS, or use {able}"
        )
    interface = _interface(options.interface) if options.interface else ""
    nic = _nic(selection, configuration.settings, options)._replace(interface=interface)
    if chosen is None:
        print(json.dumps(_as_json(nic, selection), indent=2))
        return OK
    nic = nic._replace(interface=interface or chosen.interface)
    sys.stdout.write(chosen.text(nic))
    for remark in selection.remarks:
        _remark(remark)
    if options.format in HINTS:
        _remark(HINTS[options.format])
    if not interface and not (nic.mac and chosen.matches_mac):
        by_name = "name the guest, or " if chosen.matches_mac and not selection.guest else ""
        _remark(f"assuming that the guest calls the NIC {nic.interface}; otherwise, {by_name}add --interface NAME")
    return OK


def _nic(selection: Selection, settings: Settings, options: Namespace) -> Nic:
    """Return the NIC that gets the selected addresses, without its name."""
    network = _Network(selection.network)
    nic = Nic(
        interface="",
        mac=_mac(options.mac) if options.mac else selection.mac or _mac_of(selection),
        routed=[f"{address}/{BITS[family_of(address)]}" for address in selection.addresses],
        private=[network.own(text) for text in options.private if text != DHCP],
        automatic=frozenset(network.families) if DHCP in options.private else frozenset(),
        gateways={},
    )
    families = [family for family in (4, 6) if nic.addresses(family)]
    return nic._replace(
        gateways={family: _gateway(family, nic, settings, network) for family in families},
        dns=_dns(options.dns, {*families, *nic.automatic}),
    )


def _as_json(nic: Nic, selection: Selection) -> dict[str, Any]:
    """Return the NIC, and its configuration in all formats, as JSON. ``address`` and ``gateway`` are the first ones."""
    addresses = [{"address": each, "gateway": nic.gateways[family_of(each)]} for each in nic.routed]
    return {
        "version": VERSION,
        **addresses[0],
        "addresses": addresses,
        "private": list(nic.private),
        "nameservers": list(nic.dns),
        "network": selection.network,
        "guest": selection.guest or None,
        "mac": nic.mac or None,
        "remarks": list(selection.remarks),
        "configurations": list(configurations(nic, nic.interface)),
    }


def _if_forwarded(word: str, configuration: Configuration) -> str:
    """Return what to say of an address or guest that only lines of forwarded-ports are about; '' for another one."""
    lines = [line for line in configuration.forwards if word in {line.guest, line.address}]
    if not lines or any(word in {line.guest, line.prefix.text} for line in configuration.routed_ips):
        return ""
    what = "forwarded as a whole" if lines[0].is_whole else "forwarded"
    about = f"what {one_line(word)} gets is {what}" if word == lines[0].guest else f"{word} is {what}"
    return f"{about}: nothing has to be configured in the guest, which keeps the address that its network gives it"


class _Network:
    """A network of libvirt, which is asked only when an answer is needed."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def families(self) -> list[int]:
        """The IP families (4, 6) for which the network has an ``<ip>``."""
        return sorted({subnet.family for subnet in self._live.network.subnets})

    def address(self, family: int) -> str:
        """Return the bridge's address of this family, which guests can use as a gateway; '' without one."""
        return next((address for address, _ in self._live.addresses if family_of(address) == family), "")

    def own(self, text: str) -> str:
        """Return this address, which must be in a subnet of the network, with the subnet's length."""
        address, _, length = text.partition("/")
        family, number = _parsed(address, "--private")
        shown = address_text(family, number)
        for subnet in self._live.network.subnets:
            if Prefix(family, number, BITS[family]).lies_in(subnet) and length in {"", str(subnet.length)}:
                if shown in {held for held, _ in self._live.addresses}:
                    raise NethookError(f"{shown} is the host's own address on network {self._name}")
                if subnet.host_mask > 1 and (number == subnet.first or (family == 4 and number == subnet.last)):
                    kind = "broadcast" if number == subnet.last else "network" if family == 4 else "routers'"
                    raise NethookError(f"{shown} is the {kind} address of {subnet}, so no guest can have it")
                return f"{shown}/{subnet.length}"
        subnets = ", ".join(subnet.text for subnet in self._live.network.subnets) or "none"
        raise NethookError(one_line(f"{text} is in no subnet of network {self._name}; its subnets: {subnets}"))

    @property
    def _live(self) -> LiveNetwork:
        return _live_network(self._name)


@lru_cache(maxsize=1)
def _live_network(name: str) -> LiveNetwork:
    live = live_networks()
    if name not in live:
        advice = suggestion(name, sorted(live)) if live else "it has no networks"
        raise NethookError(one_line(f"libvirt has no network {name}: {advice}"))
    return live[name]


def _gateway(family: int, nic: Nic, settings: Settings, network: _Network) -> str:
    """Return the guest's gateway: the one of the settings if an address is routed, otherwise the network's own."""
    is_routed = any(family_of(address) == family for address in nic.routed)
    gateway = (settings.gateway(family) if is_routed else None) or network.address(family)
    if not gateway:
        raise NethookError(
            f"guests have no IPv{family} gateway: nethook.conf has gateway{family} = none, and the network has no "
            f"IPv{family} address of its own"
        )
    return gateway


def _mac_of(selection: Selection) -> str:
    """Return the MAC address of the guest's NIC on the network; '' if the guest is unknown."""
    if not selection.guest:
        return ""
    guest = _live_guest(selection.guest)
    macs = guest.macs_on(selection.network)
    if not macs:
        others = ", ".join(sorted({network for network, _ in guest.nics})) or "none"
        raise NethookError(
            one_line(f"guest {selection.guest} has no NIC on network {selection.network}; its networks: {others}")
        )
    if len(macs) > 1:
        raise NethookError(
            one_line(
                f"guest {selection.guest} has several NICs on network {selection.network}: "
                f"write --mac with one of {', '.join(macs)}"
            )
        )
    return macs[0]


def _live_guest(name: str) -> LiveGuest:
    guests = live_guests()
    if guests is None:
        raise LibvirtError(f"libvirt does not list its guests, so the NIC of {name} is unknown: add --mac MAC")
    if name not in guests:
        advice = suggestion(name, sorted(guests)) if guests else "it has no guests"
        raise NethookError(one_line(f"libvirt has no guest {name}: {advice} (before you define it, use --mac MAC)"))
    return guests[name]


def _mac(text: str) -> str:
    mac = text.lower().replace("-", ":")
    if not MAC.fullmatch(mac):
        raise NethookError(one_line(f"--mac: {text} is not a MAC address such as 52:54:00:12:34:56"))
    return mac


def _interface(text: str) -> str:
    if not INTERFACE.fullmatch(text):
        raise NethookError(one_line(f"--interface: {text} is not the name of a network interface"))
    return text


def _dns(given: Sequence[str], families: Iterable[int]) -> list[str]:
    """Return the DNS servers of the command line, or those of the host that the guest can reach."""
    if given:
        return [address_text(*_parsed(text, "--dns")) for text in given]
    found = [server for server in resolvers() if family_of(server) in families]
    if not found:
        _remark("this host uses no DNS server that the guest can reach: add --dns ADDRESS")
    return found


def _parsed(text: str, option: str) -> tuple[int, int]:
    try:
        return parse_address(text)
    except ValueError as error:
        raise NethookError(one_line(f"{option}: {error}")) from None


def _remark(text: str) -> None:
    print(f"nethook: {one_line(text)}", file=sys.stderr)
