"""The needs of the host itself: lines that would take something of them away are not put in force.

That are its own addresses, the subnets and next hops of its uplinks, resolvers on their links, and the addresses from
which administrators are connected by SSH. A route of ours wins over a shorter one; so a next hop or resolver is in
danger where a line has the longest prefix around it.
"""

from __future__ import annotations

from nethook.prefix import BITS, Prefix, in_order, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from nethook.config import RoutedIP
    from nethook.config.text import Problem
    from nethook.host import Host
    from nethook.host.addresses import Address
    from nethook.libvirt import Network

RESOLVER_FILES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
SSH = "SSH_CONNECTION="
ADVICE = "write an address that your provider routes to this host for guests"
ADVICE_FOR_OWN = ", or give a guest all that comes to this one: nethook add --forward {} NETWORK guest=GUEST"
MOST_ANCESTORS = 20
CONNECTED = "you are connected from {}"
SOMEBODY = "somebody is connected by SSH from {}"


class Needs:
    """The needs of the host as they were read: its addresses, next hops with devices, resolvers, and SSH clients."""

    __slots__ = ("addresses", "clients", "hops", "resolvers")

    def __init__(
        self,
        addresses: Iterable[tuple[Prefix, int, str]] = (),
        hops: Iterable[tuple[str, str]] = (),
        resolvers: Iterable[Prefix] = (),
        clients: Iterable[tuple[Prefix, str]] = (),
    ) -> None:
        """``addresses`` come with the length of their subnet and their device, ``clients`` with who is there."""
        self.addresses = list(addresses)
        self.hops = sorted(hops)
        self.resolvers = list(resolvers)
        self.clients = list(clients)

    def subnets(self, bridges: Collection[str]) -> list[tuple[Prefix, str]]:
        """Return the subnets of the addresses, each with its device, but for those of these bridges."""
        return [(block(address, length), device) for address, length, device in self.addresses if device not in bridges]

    def reached(self, bridges: Collection[str]) -> Iterator[tuple[Prefix, str, str]]:
        """Yield each address that the host has to reach, its device, and a text about it with a place for the address.

        The device of SSH clients is ''. Behind ``bridges`` are guests alone.
        """
        for hop, device in self.hops:
            if device not in bridges:
                yield parse_prefix(hop), device, f"{{}} is a next hop of this host's routes, on {device}"
        for resolver in self.resolvers:
            for subnet, device in self.subnets(bridges):
                if resolver.lies_in(subnet):
                    yield resolver, device, f"{{}} is a resolver of this host, on {device}"
        for client, who in self.clients:
            yield client, "", who


def read_needs(host: Host, addresses: Iterable[Address]) -> Needs:
    """Read what the host needs, beside its addresses. ReadError if its next hops or sessions cannot be known."""
    own = [(parse_prefix(each.text), each.length, each.device) for each in addresses]
    return Needs(own, host.next_hops(), sorted(_resolvers(host), key=in_order), _clients(host))


def dangers(
    needs: Needs, lines: Iterable[RoutedIP], networks: Collection[Network], in_force: Collection[str] = ()
) -> list[tuple[RoutedIP, Problem]]:
    """Return those of these lines that would take away what the host needs, each with its problem.

    ``networks`` are libvirt's: what is behind bridges that it makes are guests, and on a bridge that the host brings, a
    line for a network there leads to where the host looks anyway. ``in_force`` are prefixes of which something is in
    force already: who is connected from there is a guest, or was one before its network stopped.
    """
    bridges = _guests(networks)
    places = {(network.name, network.bridge) for network in networks}
    by_prefix = {line.prefix.text: line for line in lines}
    lengths = {(line.prefix.family, line.prefix.length) for line in by_prefix.values()}
    subnets = needs.subnets(bridges)
    found: dict[str, tuple[RoutedIP, Problem]] = {}

    def refuse(line: RoutedIP, what: str, more_advice: str = "") -> None:
        found.setdefault(line.prefix.text, (line, line.problem(what, ADVICE + more_advice)))

    def leads_there(line: RoutedIP, device: str) -> bool:
        return (line.network, device) in places and not line.via and not line.guest

    for address, length, device in needs.addresses:
        line = by_prefix.get(address.text)
        if line:
            what = f"{address} is an address of this host, on {device}: packets to it never reach a guest"
            refuse(line, what, "" if device in bridges else ADVICE_FOR_OWN.format(address))
        line = by_prefix.get(block(address, length).text) if device not in bridges else None
        if line and not leads_there(line, device):
            refuse(line, f"{line.prefix} is the subnet of {device}, by which this host reaches the outside")
    for address, device, what in needs.reached(bridges):
        longest = max((subnet.length for subnet, _ in subnets if address.lies_in(subnet)), default=0)
        for family, length in lengths:
            if family == address.family and length >= longest:
                line = by_prefix.get(block(address, length).text)
                is_fine = not device and line and line.prefix.text in in_force
                if line and not is_fine and not leads_there(line, device):
                    refuse(line, f"{what.format(address)}: with this line, the host would not reach it any more")
    for address, length, device in needs.addresses:
        for family, longer in lengths if device not in bridges else ():
            line = by_prefix.get(block(address, longer).text) if family == address.family else None
            if line and length < longer < BITS[family] and not leads_there(line, device):
                what = f"{line.prefix} is a part of the subnet of {device}, with this host's address {address} in it"
                refuse(line, f"{what}: with this line, the host would not reach its neighbours there")
    return list(found.values())


def needed(needs: Needs, prefix: Prefix, networks: Collection[Network]) -> str:
    """Return what the host reaches within this prefix and needs; '' if nothing is known. ``networks`` are libvirt's."""
    reached = needs.reached(_guests(networks))
    return next((what.format(address) for address, _, what in reached if address.lies_in(prefix)), "")


def _guests(networks: Iterable[Network]) -> set[str]:
    """Return the bridges with guests alone behind them."""
    return {network.bridge for network in networks if network.is_libvirts_own}


def block(address: Prefix, length: int) -> Prefix:
    """Return the prefix of this length around an address."""
    host_bits = BITS[address.family] - length
    return Prefix(address.family, (address.first >> host_bits) << host_bits, length)


def _resolvers(host: Host) -> set[Prefix]:
    """Return the resolvers. Format: https://man7.org/linux/man-pages/man5/resolv.conf.5.html"""
    found = set()
    for path in RESOLVER_FILES:
        try:
            lines = (host.read(path) or "").splitlines()
        except OSError:
            continue
        for words in (line.split() for line in lines):
            if words[:1] == ["nameserver"] and len(words) > 1:
                found.update(_parsed(words[1]))
    return found


def _clients(host: Host) -> list[tuple[Prefix, str]]:
    """Return the client of the SSH session in which this runs; without one, as in a hook, the clients of all sessions.

    A session decides for the others: a guest may be connected from its address, and wait for its line.
    """
    own = _client(host)
    if own:
        return [(own, CONNECTED)]
    peers = {prefix for peer in host.ssh_peers() for prefix in _parsed(peer)}
    return [(peer, SOMEBODY) for peer in sorted(peers, key=in_order)]


def _client(host: Host) -> Prefix | None:
    """Return from where the administrator is connected by SSH who runs this; sudo takes that out of the environment."""
    process = "self"
    for _ in range(MOST_ANCESTORS):
        try:
            variables = (host.read(f"/proc/{process}/environ") or "").split("\0")
            words = (host.read(f"/proc/{process}/stat") or "").rpartition(")")[2].split()
        except OSError:
            return None
        for variable in variables:
            if variable.startswith(SSH):
                client = variable[len(SSH) :].split()
                return next(iter(_parsed(client[0])), None) if client else None
        if len(words) < 2 or words[1] in {"0", "1"}:
            return None
        process = words[1]
    return None


def _parsed(text: str) -> list[Prefix]:
    """Return the address in a list; nothing if it is none."""
    try:
        return [parse_prefix(text.partition("%")[0])]
    except ValueError:
        return []
