"""What is wrong with lines only on this host: its networks, their subnets, and its own addresses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from nethook.config.problem import Problem, excerpt
from nethook.config.suggestion import suggestion
from nethook.errors import ReadError
from nethook.kernel.process import Call, Tools
from nethook.prefix import Prefix, parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nethook.config import Configuration, RoutedIP
    from nethook.libvirt.live import LiveNetwork

SECONDS = 4.0


class OwnAddress(NamedTuple):
    """An address that the host has, the length of its subnet, and its device."""

    address: Prefix
    length: int
    device: str


def host_problems(configuration: Configuration, live: Mapping[str, LiveNetwork]) -> list[Problem]:
    """A problem for each line that cannot work as it is here. ReadError if the host's addresses are not known."""
    own = own_addresses(Tools(SECONDS))
    return [problem for line in configuration.routed_ips for problem in _problems(line, live, own)]


def no_such_network(line: RoutedIP, live: Mapping[str, LiveNetwork]) -> Problem:
    """The problem of a line whose network libvirt does not know."""
    advice = suggestion(line.network, sorted(live)) if live else "define one with virsh net-define"
    return line.problem_of_network(f"libvirt has no network {excerpt(line.network)}", advice)


def _problems(line: RoutedIP, live: Mapping[str, LiveNetwork], own: Iterable[OwnAddress]) -> Iterator[Problem]:
    if line.network not in live:
        yield no_such_network(line, live)
    yield from subnet_problems(line, live)
    for held in addresses_within(line, live, own):
        yield line.problem(what_is_wrong_with(held), f"write another one, or remove it from {held.device}")


def what_is_wrong_with(held: OwnAddress) -> str:
    """Why an address of the host cannot be a guest's."""
    return f"{held.address} is an address of this host, on {held.device}: what is sent to it never gets to a guest"


def addresses_within(
    line: RoutedIP, live: Mapping[str, LiveNetwork], own: Iterable[OwnAddress]
) -> Iterator[OwnAddress]:
    """The host's own addresses within a line's prefix, but for those on the bridge of its own network."""
    network = live.get(line.network)
    for held in own:
        is_of_its_network = network and held.device == network.network.bridge and held.address != line.prefix
        if held.address.lies_in(line.prefix) and not is_of_its_network:
            yield held


def subnet_problems(line: RoutedIP, live: Mapping[str, LiveNetwork]) -> Iterator[Problem]:
    """Of another network's subnet, always; of its own, where libvirt translates the addresses of guests in it."""
    for network in live.values():
        for subnet in network.network.subnets:
            if line.prefix.overlaps(subnet):
                yield from _subnet_problem(line, network, subnet)


def _subnet_problem(line: RoutedIP, network: LiveNetwork, subnet: Prefix) -> Iterator[Problem]:
    name = network.network.name
    what = "is" if subnet == line.prefix else "overlaps"
    if name != line.network:
        yield line.problem(
            f"{line.prefix} {what} the subnet {subnet} of network {name}",
            f"route it to {name}, or write what lies outside that subnet",
        )
    elif network.network.forward_mode == "nat":
        yield line.problem(
            f"{line.prefix} {what} the subnet {subnet} of network {name} itself, whose addresses libvirt translates",
            f"give {name} another subnet, or <forward mode='route'/>, with virsh net-edit {name}",
        )


def own_addresses(tools: Tools) -> list[OwnAddress]:
    """The addresses of this host. ReadError if they are not known."""
    result = tools.run(Call(("ip", "-json", "address", "show")))
    if result.status != 0:
        raise ReadError(result.failure)
    try:
        devices = json.loads(result.out)
    except ValueError:
        raise ReadError(result.not_understood) from None
    return [
        OwnAddress(parse_prefix(address["local"]), address["prefixlen"], device["ifname"])
        for device in devices
        for address in device.get("addr_info", ())
        if "local" in address
    ]
