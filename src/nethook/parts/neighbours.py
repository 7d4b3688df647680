"""Our entries in the kernel's neighbour table, which carry our protocol number: pins and proxy entries.

Pins are permanent entries, so that no guest can take another's address.

Proxy entries have the host answer ARP or NDP for addresses on an uplink, for guests behind it. Only for providers that
ask for each address on their network instead of routing it to the host, and only while it is routed here. The kernel
asks for more: it has to forward, and for IPv6 the setting proxy_ndp of the uplink has to be on.
"""

from __future__ import annotations

from nethook.parts.part import NO_DEVICE, Key, Objects, Wanted
from nethook.placement import Lack
from nethook.prefix import Longest, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.config import RoutedIP
    from nethook.config.text import Entry
    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host import Host
    from nethook.placement import Placement
    from nethook.placement.forwarded import Forwarding


class Pin(Key):
    """Address, device, MAC."""

    __slots__ = ()

    @property
    def mac(self) -> str:
        """The MAC of the NIC."""
        return self[2]


class Neighbours(Objects, words={"neighbour": "neighbour {prefix} → {to} on {bridge}"}):
    """Our pins, which lead the host to the NIC that an address is bound to."""

    name = "neighbour"
    already_gone = (*Objects.already_gone, "No such file or directory")
    waits_for_binding = True

    def read(self, host: Host, question: Question) -> set[Pin]:
        """Return our entries."""
        return {Pin(entry) for entry in host.permanent_neighbours(question.protocol)}

    def want(self, case: Case) -> Wanted:
        """Want one for each bound line whose guest is plugged in: for its address, or its next hop.

        Of one address, a line that is about it tells more than one with it as next hop. Pins stay for routes that stay.
        """
        pins: dict[Pin, RoutedIP] = {}
        targets: dict[tuple[str, str], Pin] = {}
        for placed in case.placements.placed:
            line = placed.line
            target = line.via or (line.prefix.text if line.prefix.is_address else "")
            if not placed.mac or not target:
                continue
            rival = targets.get((target, placed.bridge))
            if rival:
                if line.via:
                    continue
                del pins[rival]
            targets[target, placed.bridge] = pin = Pin((target, placed.bridge, placed.mac))
            pins[pin] = line
        kept = {(route.via or route.prefix, route.device) for route in case.placements.kept}
        return Wanted(pins, {pin for pin in case.state(self) if pin[:2] in kept})

    def add(self, key: Pin, protocol: int) -> str:
        """Return the line, with ``replace``: the kernel may know the address already, from a guest that answered."""
        address, device, mac = key
        return f"neighbour replace {address} lladdr {mac} dev {device} nud permanent protocol {protocol}"

    def delete(self, key: Pin, protocol: int) -> str:
        """Return the line that deletes the entry of this address."""
        del protocol
        return f"neighbour delete {key.prefix} dev {key.device}"


NEIGHBOURS = Neighbours()


class Proxy(Key):
    """Address, '', uplink: whether there is one depends on the network that the address is routed to."""

    __slots__ = ()

    @property
    def uplink(self) -> str:
        """The device on which the host answers."""
        return self[2]


class Proxies(Objects, words={"proxy": "proxy {prefix} on {to}"}):
    """Our proxy entries."""

    name = "proxy"
    already_gone = (*Objects.already_gone, "No such file or directory")
    waits_for_binding = True

    def read(self, host: Host, question: Question) -> set[Proxy]:
        """Return our entries."""
        return {Proxy((address, "", uplink)) for address, uplink in host.proxies(question.protocol)}

    def want(self, case: Case) -> Wanted:
        """Want an entry for each address that a line wants one for, and that is routed.

        Entries stay of lines that this run does not decide about, and those that a wrong line may be about. Of a wrong
        line with a prefix there is an entry for each address.
        """
        there = case.state(self)
        lines = (*case.lines, *case.question.forwards)
        if not there and not any(line.proxy for line in lines):  # as on most hosts
            return Wanted({})
        proxied = [placed.line for placed in case.placements.placed if placed.line.proxy]
        forwarded = [each.line for each in case.proxied if each.is_decided and each.target]
        wanted: dict[Proxy, Entry] = {
            Proxy((address, "", line.proxy or "")): line
            for line in (*proxied, *forwarded)
            for address in line.prefix.addresses()
        }
        kept = {route.prefix for route in case.placements.kept}
        kept.update(each.line.prefix.text for each in case.proxied if not each.is_decided)
        undecided = {
            line.prefix for line in lines if not case.scope.has_network(line.network) or line.prefix.text in kept
        }
        prefixes = Longest(line.prefix for line in lines)
        stay = {key for key in there - wanted.keys() if prefixes.around(parse_prefix(key.prefix)) in undecided}
        stay.update(key for key in there if key.prefix in case.answered_in_doubt)
        return Wanted(wanted, stay.union(case.in_doubt(there, within=True)))

    def note(self, case: Case) -> dict[str, list[Proxy]]:
        """Return the entries that are still lacking, by the prefix of their line."""
        lines = case.wanted(self).keys
        lacking: dict[str, list[Proxy]] = {}
        for key in case.delta(self).new:
            lacking.setdefault(lines[key].prefix.text, []).append(key)
        return lacking

    def lacks(self, case: Case, placement: Placement) -> Iterator[Lack]:
        """Yield that the host does not answer yet."""
        return self._lacks(case, placement.line.prefix.text)

    def _lacks(self, case: Case, prefix: str) -> Iterator[Lack]:
        for key in case.note(self).get(prefix, ()):
            yield Lack("proxy", f"the host does not answer for {key.prefix} on {key.uplink}", is_last=True)

    def lacks_of_forward(self, case: Case, forwarding: Forwarding) -> Iterator[Lack]:
        """Yield that the host does not answer yet."""
        return self._lacks(case, forwarding.line.prefix.text)

    def add(self, key: Proxy, protocol: int) -> str:
        """Return the line. An entry that somebody else made is taken over: the kernel does not refuse it."""
        return f"neighbour add proxy {key.prefix} dev {key.uplink} protocol {protocol}"

    def delete(self, key: Proxy, protocol: int) -> str:
        """Return the line that deletes the entry of this address on this uplink."""
        del protocol
        return f"neighbour delete proxy {key.prefix} dev {key.uplink}"

    def why_not_added(self, key: Proxy, said: str, host: Host) -> str:
        """Return why not. Unlike a bridge, an uplink that is not there is a mistake."""
        del host
        return f"there is no device {key.uplink}" if said.startswith(NO_DEVICE) else said

    def added(self, keys: Sequence[Proxy], host: Host) -> None:
        """Tell the uplink's network, so that nobody goes on sending to where the address was before."""
        for key in keys:
            host.announce(key.prefix, key.uplink)


PROXIES = Proxies()
