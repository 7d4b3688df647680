"""The forwards in a file of another port forwarder, and remarks about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nethook.config.listening import LAST_PORT, parse_ports
from nethook.config.options import name_refusal
from nethook.config.text import excerpt
from nethook.importing.tree import LeftOutError

if TYPE_CHECKING:
    from nethook.config.listening import Ports
    from nethook.config.text import Place
    from nethook.importing.tree import Node
    from nethook.prefix import Prefix

PROTOCOLS = ("tcp", "udp")


@dataclass(frozen=True)
class Found:
    """Ports of one protocol, or a whole address, that go to a guest.

    ``block`` is the same for what belongs together. ``listening`` is None where the tool takes the host's address.
    Without ``ports`` all of the address is meant, and ``protocol`` is empty. ``to_ports`` is empty if ports stay.
    ``bridge`` is the bridge that the file names, '' without one.
    """

    place: Place
    block: str
    guest: str
    listening: Prefix | None
    target: Prefix
    protocol: str = ""
    ports: Ports = ()
    to_ports: Ports = ()
    sources: tuple[Prefix, ...] = ()
    outgoing: bool = False
    proxy: str = ""
    bridge: str = ""


@dataclass(frozen=True)
class Remark:
    """Something that is different, or with ``is_loss`` cannot be taken over."""

    place: Place
    block: str
    text: str
    is_loss: bool = True


def left_out(error: LeftOutError, block: str) -> Remark:
    """Return the remark that a value is not taken over."""
    return Remark(error.place, block, error.why)


def checked_guest(name: str, place: Place) -> str:
    """Return the name of a guest; LeftOutError if libvirt cannot have such a guest."""
    refusal = name_refusal(name, "guest")
    if refusal:
        raise LeftOutError(place, f"{excerpt(name)}: {refusal[0]}")
    return name


def port_of(node: Node) -> Ports:
    """Return a single port."""
    number = node.number()
    if not 0 < number <= LAST_PORT:
        raise node.left_out(f"{number} is not a port")
    return ((number, number),)


def ports_of(node: Node) -> Ports:
    """Return the ports of a list such as ``80,443,8000-8010``."""
    try:
        return parse_ports(node.text().replace(" ", "") if isinstance(node.value, str) else str(node.number()))
    except ValueError:
        raise node.left_out(f"{node.shown} is not a list of ports") from None


def protocol_of(node: Node) -> str:
    """Return tcp or udp."""
    return checked_protocol(node.text(), node.place)


def checked_protocol(text: str, place: Place) -> str:
    """Return tcp or udp; LeftOutError for another protocol."""
    protocol = text.strip().lower()
    if protocol == "icmp":
        raise LeftOutError(place, "icmp has no ports; a line with the whole address forwards ping, too")
    if protocol not in PROTOCOLS:
        raise LeftOutError(place, f"ports of {excerpt(text)} cannot be forwarded, only those of tcp and udp")
    return protocol
