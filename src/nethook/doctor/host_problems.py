"""Lines that are wrong only on this host: because of its networks, their subnets, its devices, or its own addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook.config import RoutedIP
from nethook.config.text import Problem, excerpt
from nethook.doctor.forward_problems import forward_problems
from nethook.doctor.ip_answers import ask
from nethook.doctor.programs import ADVICE, why_it_cannot_bind
from nethook.host import Host, links
from nethook.host.links import NO_IPV6, NO_IPV6_ADVICE, available
from nethook.libvirt.names import misfit, no_such_guest, no_such_network
from nethook.placement.scope import claimed, next_hop_refusals
from nethook.placement.vital import dangers, read_needs
from nethook.prefix import Prefix, parse_prefix
from nethook.shell import operand

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from nethook.config import Configuration
    from nethook.config.text import Entry
    from nethook.libvirt.live import LiveGuest, LiveNetwork
    from nethook.placement.vital import Needs

SECONDS = 4.0


class OwnAddress(NamedTuple):
    """An address of the host, the length of its subnet, and its device."""

    address: Prefix
    length: int
    device: str


def host_problems(
    configuration: Configuration, live: Mapping[str, LiveNetwork], guests: Mapping[str, LiveGuest] | None = None
) -> list[Problem]:
    """Return a problem for each line that cannot work on this host. ReadError if the host's addresses cannot be read.

    ``guests`` are libvirt's guests, None if they are unknown. ``merged`` makes one of equal problems.
    """
    tools = Host(SECONDS)
    own = own_addresses(tools)
    lines = {line.prefix.text: line for line in configuration.routed_ips}
    problems = [
        problem
        for line in configuration.routed_ips
        for problem in (*_problems(line, live, own), *via_problems(line, lines))
    ]
    problems += [problem for line in configuration.lines for problem in guest_problems(line, guests, live)]
    return [
        *problems,
        *_vital_problems(configuration, live, tools),
        *_uplink_problems(configuration.lines, live, tools),
        *forward_problems(configuration, live, guests, tools),
        *_binding_problems(configuration.routed_ips, tools),
    ]


def own_routes(lines: Iterable[RoutedIP], live: Mapping[str, LiveNetwork]) -> list[Problem]:
    """Return a warning for each line whose prefix already has a route of libvirt."""
    warned = []
    for line in lines:
        network = live.get(line.network)
        if network and any(route == line.prefix for route in network.network.routes):
            what = f"warning: libvirt itself adds the <route> of network {excerpt(line.network)} to {line.prefix}"
            warned.append(line.problem(what, "nothing to do: the line still lets packets through"))
    return warned


def merged(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems, with equal problems of several lines as one, at the first of these lines."""
    alike: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        alike.setdefault((problem.what, problem.advice), []).append(problem)
    return [_for_all(first, len(more)) for first, *more in alike.values()]


def _for_all(first: Problem, more: int) -> Problem:
    what = f"{first.what} (here and in {more} more line{'s' * (more > 1)})" if more else first.what
    return Problem(first.place, what, first.advice, first.text, first.prefix)


def _vital_problems(configuration: Configuration, live: Mapping[str, LiveNetwork], tools: Host) -> list[Problem]:
    routes = tools.routes(configuration.settings.route_protocol)  # of networks that are down, fallback routes are there
    needs = read_needs(tools, tools.addresses())
    return vital_problems(needs, configuration, live, {prefix for group in routes for prefix in group.prefixes})


def vital_problems(
    needs: Needs, configuration: Configuration, live: Mapping[str, LiveNetwork], in_force: Collection[str]
) -> list[Problem]:
    """Return the problems of lines that would harm this host; ``in_force`` are the prefixes of which we have routes."""
    lines = configuration.routed_ips
    owners = {prefix.text: name for name, each in live.items() for prefix in each.network.routes}
    claims = [problem for line in lines if (problem := claimed(line, owners))]
    own = ((address.text, device) for address, _, device in needs.addresses)
    found = next_hop_refusals(lines, own, configuration.settings)
    found += dangers(needs, lines, [each.network for each in live.values()], in_force)
    return claims + [problem for _, problem in found]


def _binding_problems(lines: Iterable[RoutedIP], tools: Host) -> list[Problem]:
    bound = [line for line in lines if line.guest]
    why = why_it_cannot_bind(tools) if bound else ""
    return [line.problem_of_option("guest", why, ADVICE) for line in bound] if why else []


def _uplink_problems(lines: Sequence[Entry], live: Mapping[str, LiveNetwork], tools: Host) -> list[Problem]:
    wrong = [(line, what) for line in lines if line.proxy and (what := what_is_wrong_with_uplink(line.proxy, live))]
    advice = which_uplink(_devices_of_default_routes(tools)) if wrong else ""
    return [line.problem_of_option("proxy", what, advice) for line, what in wrong]


def what_is_wrong_with_uplink(uplink: str, live: Mapping[str, LiveNetwork]) -> str:
    """Return the reason why this device cannot be an uplink; '' if it can."""
    for network in live.values():
        if network.network.bridge == uplink and network.network.forward_mode != "bridge":  # that one is the admin's
            return f"{uplink} is the bridge of network {excerpt(network.network.name)}, with guests behind it"
    return "" if links.exists(uplink) else f"there is no device {uplink}"


def which_uplink(devices: Sequence[str]) -> str:
    """Return advice for a wrong uplink; ``devices`` are those of default routes."""
    used = f", default routes use: {', '.join(devices)}" if devices else ", as ip link shows it"
    return f"write the device on the provider's network{used}"


def via_problems(line: RoutedIP, lines: Mapping[str, RoutedIP]) -> Iterator[Problem]:
    """Yield a problem if the next hop of a bound line is bound to another guest; ``lines`` are all lines by prefix."""
    hop = lines.get(line.via or "")
    if line.guest and hop and hop.guest and hop.guest != line.guest:
        what = f"{line.via} is bound to guest {excerpt(hop.guest)}, at {hop.place}"
        yield line.problem_of_option(
            "via", what, f"write an address of {excerpt(line.guest)}, or bind both to one guest"
        )


def guest_problems(
    line: Entry, guests: Mapping[str, LiveGuest] | None, live: Mapping[str, LiveNetwork]
) -> Iterator[Problem]:
    """Yield a problem if a line fits no NIC of its guest, or if it is routed to one of several.

    A guest of another driver than QEMU is not in ``guests``, but may be plugged in.
    """
    if not line.guest or guests is None:
        return
    if line.guest not in guests:
        network = live.get(line.network)
        if not network or not network.network.ports.of(line.guest, None):
            yield no_such_guest(line, guests)
        return
    guest = guests[line.guest]
    macs = guest.macs_on(line.network)
    if problem := misfit(line, guest):
        yield problem
    elif not line.mac and len(macs) > 1 and isinstance(line, RoutedIP):
        what = f"guest {excerpt(line.guest)} has {len(macs)} NICs on network {excerpt(line.network)}"
        yield line.problem_of_option("guest", what, f"choose one with mac={' or mac='.join(macs)}")


def _problems(line: RoutedIP, live: Mapping[str, LiveNetwork], own: Iterable[OwnAddress]) -> Iterator[Problem]:
    if line.prefix.family not in available():
        yield line.problem(NO_IPV6, NO_IPV6_ADVICE)
    if line.network not in live:
        yield no_such_network(line, live)
    elif why := live[line.network].network.why_unroutable:
        yield line.problem_of_network(why, "choose a network with a bridge of the kernel")
    yield from subnet_problems(line, live)
    for held in (each for each in addresses_within(line, live, own) if each.address != line.prefix):
        yield line.problem(what_is_wrong_with(held), "choose an address that only guests use")


def what_is_wrong_with(held: OwnAddress) -> str:
    """Return the reason why an address of the host cannot be routed to a guest."""
    return f"{held.address} is an address of this host, on {held.device}: packets to it never reach a guest"


def addresses_within(
    line: RoutedIP, live: Mapping[str, LiveNetwork], own: Iterable[OwnAddress]
) -> Iterator[OwnAddress]:
    """Yield the host's own addresses within a line's prefix, except those on the bridge of the line's network."""
    network = live.get(line.network)
    for held in own:
        is_of_its_network = network and held.device == network.network.bridge and held.address != line.prefix
        if held.address.lies_in(line.prefix) and not is_of_its_network:
            yield held


def subnet_problems(line: RoutedIP, live: Mapping[str, LiveNetwork]) -> Iterator[Problem]:
    """Yield a problem for each subnet of another network that the line overlaps, or of its own network with NAT."""
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
            f"route it to {name}, or choose a prefix outside that subnet",
        )
    elif network.network.forward_mode == "nat":
        yield line.problem(
            f"{line.prefix} {what} the subnet {subnet} of network {name} itself, to which libvirt applies NAT",
            f"give {name} another subnet, or <forward mode='route'/>, with virsh net-edit {operand(name)}",
        )


def own_addresses(tools: Host) -> list[OwnAddress]:
    """Return the addresses of this host. ReadError if they cannot be read."""
    return [
        OwnAddress(parse_prefix(address["local"]), address["prefixlen"], held["ifname"])
        for family in (4, 6)
        for held in ask(tools, family, ["address show"])[0].listed
        for address in held.get("addr_info", ())
        if "local" in address
    ]


def _devices_of_default_routes(tools: Host) -> list[str]:
    """Return the devices of default routes, those of IPv4 first. ReadError if they cannot be read."""
    routes = [route for family in (4, 6) for route in ask(tools, family, ["route show default"])[0].listed]
    hops = [hop for route in routes for hop in (route, *route.get("nexthops", ()))]
    return list(dict.fromkeys(hop["dev"] for hop in hops if "dev" in hop))
