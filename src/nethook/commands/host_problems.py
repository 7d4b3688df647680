"""What is wrong with lines only on this host: its networks, their subnets, and its own addresses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

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


def host_problems(configuration: Configuration, live: Mapping[str, LiveNetwork]) -> list[Problem]:
    """A problem for each line that cannot work as it is here. ReadError if the host's addresses are not known."""
    own = list(_own_addresses())
    return [problem for line in configuration.routed_ips for problem in _problems(line, live, own)]


def no_such_network(line: RoutedIP, live: Mapping[str, LiveNetwork]) -> Problem:
    """The problem of a line whose network libvirt does not know."""
    advice = suggestion(line.network, sorted(live)) if live else "define one with virsh net-define"
    return line.problem_of_network(f"libvirt has no network {excerpt(line.network)}", advice)


def _problems(line: RoutedIP, live: Mapping[str, LiveNetwork], own: Iterable[tuple[Prefix, str]]) -> Iterator[Problem]:
    network = live.get(line.network)
    if network is None:
        yield no_such_network(line, live)
    for other in live.values():
        for subnet in other.subnets:
            if line.prefix.overlaps(subnet):
                yield from _subnet_problem(line, other, subnet)
    for address, device in own:
        is_of_its_network = network and device == network.network.bridge and address != line.prefix
        if address.lies_in(line.prefix) and not is_of_its_network:
            yield line.problem(
                f"{address} is an address of this host, on {device}: what is sent to it never gets to a guest",
                f"write another one, or remove it from {device}",
            )


def _subnet_problem(line: RoutedIP, network: LiveNetwork, subnet: Prefix) -> Iterator[Problem]:
    """Of another network, always; of its own, where libvirt translates the addresses of guests in it."""
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


def _own_addresses() -> Iterator[tuple[Prefix, str]]:
    """The addresses of this host, with their devices."""
    result = Tools(SECONDS).run(Call(("ip", "-json", "address", "show")))
    if result.status != 0:
        raise ReadError(result.failure)
    try:
        devices = json.loads(result.out)
    except ValueError:
        raise ReadError(result.not_understood) from None
    for device in devices:
        for address in device.get("addr_info", ()):
            if "local" in address:
                yield parse_prefix(address["local"]), device["ifname"]
