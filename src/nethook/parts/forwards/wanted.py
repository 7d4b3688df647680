"""The elements that the tables of forwards should have, and the surplus ones that a run may delete. Pure.

A run decides about the lines of its networks. What is in force for others stays: an element is known by its key, so
that it does not matter where it leads. Only a table that is made anew gets them as libvirt has told of them.
"""

from __future__ import annotations

from nethook.config.listening import range_text
from nethook.parts.forwards.ruleset import SETS
from nethook.placement import ELSEWHERE, KEPT
from nethook.prefix import Longest, disjoint, is_link_local, is_sayable, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Optional

    from nethook.config.forwarded_ports import Forward, Span
    from nethook.engine.case import Case
    from nethook.host.nftables import Element, Elements, Table
    from nethook.libvirt import Network
    from nethook.placement.forwarded import Forwarding

    Entry = tuple[str, Element, Optional[Element]]
    """Set, key and data of an element. The data is None where the line leads nowhere."""

ANY = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - it stands for all addresses of this host
OF_BRIDGES = frozenset({"bridges", "isolated", "linked", "on_link", "gateways"})
"""Sets about networks, not about lines."""
OF_GUESTS = frozenset({"outgoing", "outgoing_ports", "floating", "led_any"})
"""Sets whose keys are a guest's, and not what a line names."""
FOLLOWING = {"led_any": "any_ports", "floating": "outgoing"}
"""Sets that repeat what a map has, and begin with its keys."""


class Wants:
    """The elements that are wanted of one IP ``family``, and what each of its lines would have, wherever it leads.

    ``undecided`` are the listening addresses of lines that the run does not decide about: what is in force for these
    stays.
    """

    __slots__ = ("_indices", "_of_lines", "elements", "family", "undecided")

    def __init__(self, family: int, forwardings: Iterable[Forwarding]) -> None:
        self.family = family
        self.elements: Elements = {name: set() for name in SETS[family]}
        self._of_lines = [(each, entries(each.line, each.target, each.bridge)) for each in forwardings]
        self._indices: dict[str, dict[Element, Forwarding]] = {}
        self.undecided: set[str] = set()

    def add(self, *, is_anew: bool) -> None:
        """Want what the run decides about.

        A table that is made anew (``is_anew``) gets also what other runs decide about, as far as that is known.
        """
        elements = self.elements
        for each, found in self._of_lines:
            if each.is_decided or (is_anew and each.status in {ELSEWHERE, KEPT}):
                for name, key, data in found:
                    if data is not None:
                        elements[name].add(key + data)
            else:
                self.undecided.add(each.line.address)

    def index(self, name: str) -> dict[Element, Forwarding]:
        """Return the first forwarding that has each key of this set, also where it leads nowhere."""
        if name not in self._indices:
            index = self._indices[name] = {}
            for each, found in self._of_lines:
                for of, key, _ in found:
                    if of == name:
                        index.setdefault(key, each)
        return self._indices[name]

    @property
    def is_about_lines(self) -> bool:
        """Return whether there is more than what is known of networks."""
        return any(members for name, members in self.elements.items() if name not in OF_BRIDGES)

    @staticmethod
    def keeps_lines(there: Elements, gone: Elements) -> bool:
        """Return whether elements of lines stay that are there."""
        return any(members - gone.get(name, set()) for name, members in there.items() if name not in OF_BRIDGES)

    def deletable(self, name: str, surplus: set[Element], case: Case) -> set[Element]:
        """Return those of the elements of this set that nobody wants and that this run decides about."""
        if name in OF_GUESTS or name == "gateways":  # these are known of all networks
            return surplus
        if name in OF_BRIDGES:
            return {element for element in surplus if case.scope.has(element[0]) and is_sayable(element[0])}
        return self.gone(name, surplus, case)

    def gone(self, name: str, surplus: Iterable[Element], case: Case) -> set[Element]:
        """Return the elements of a set about lines that go.

        A line that another network has now does not lead to a guest of this one any more. A port stays with the host
        as long as other lines of its address stay as they are: one of them may have it. And what stays because of a
        wrong line must not be in the way of right ones.
        """
        kind = SETS[self.family][name]
        size = len(kind.fields)
        in_doubt = case.configuration.forwards_in_doubt
        here = [subnet for each in case.scope.known if case.scope.has_network(each.name) for subnet in each.subnets]
        gone: set[Element] = set()
        stay: set[Element] = set()
        for element in surplus:
            key, data = element[:size], element[size:]
            of_line = self.index(name).get(key)
            if of_line is None:
                address = listening_address(name, key, self.family)
                may_be_taken = name == "kept" and not self.undecided.isdisjoint((address, ANY[self.family]))
                goes = not in_doubt(address) and not may_be_taken
            elif of_line.status == ELSEWHERE and data:
                goes = any(parse_prefix(data[0]).lies_in(subnet) for subnet in here)
            else:
                goes = of_line.is_decided
            (gone if goes else stay).add(element)
        if kind.is_interval and stay:
            from nethook.parts.forwards.crossing import crossing  # noqa: PLC0415 - only where a line is wrong

            gone.update(crossing(name, size, stay, self.elements))
        return gone

    def keys_of_lines(self, elements: Elements) -> set[str]:
        """Return the keys of the lines that want any of these elements."""
        found: set[Forwarding | None] = set()
        for name, some in elements.items():
            name_of_line = FOLLOWING.get(name, name)
            size = len(SETS[self.family][name_of_line].fields)
            found.update(self.index(name_of_line).get(element[:size]) for element in some)
        return {each.line.key for each in found if each}


def want(family: int, forwardings: Iterable[Forwarding], table: Table | None, case: Case) -> Wants:
    """Return what leads to guests by these forwardings of one family; ``table`` is the one that is there."""
    wants = Wants(family, forwardings)
    wants.add(is_anew=table is None)
    elements = wants.elements
    routed = Longest(line.prefix for line in case.configuration.routed_ips)
    elements["listening"] = {
        (address,) for (address,) in elements["listening"] if not routed.around(parse_prefix(address))
    }
    _let_out(wants, table, case)
    there = table.elements["any_ports"] - elements["any_ports"] if table else set()
    elements["led_any"] = elements["any_ports"] | there - wants.gone("any_ports", there, case)
    guests = set()
    for network in case.scope.known:
        if network.is_libvirts_own and is_sayable(network.bridge):
            know(elements, network, family)
            guests.add(network.bridge)
    own = (each for each in case.snapshot.addresses if each.family == family and each.device in guests)
    # No line is about a link-local address. Our own gateways on bridges are such.
    elements["gateways"] = {(each.text,) for each in own if not is_link_local(each.text)}
    return wants


def _let_out(wants: Wants, table: Table | None, case: Case) -> None:
    """Want the source addresses of what guests begin: of two addresses, what a guest begins leaves as the first."""
    there = table.elements if table else {}
    for name in ("outgoing", "outgoing_ports"):
        size = len(SETS[wants.family][name].fields)
        stay = [
            element
            for element in there.get(name, ())
            if element[size] in wants.undecided or case.configuration.forwards_in_doubt(element[size])
        ]
        first: dict[Element, Element] = {}
        for element in (*stay, *sorted(wants.elements[name])):
            first.setdefault(element[:size], element)
        wants.elements[name] = set(first.values())
    wants.elements["floating"] = {element[:2] for element in wants.elements["outgoing"]}


def entries(line: Forward, target: str = "", bridge: str = "") -> list[Entry]:
    """Return the elements of the line, which leads to this address on this bridge; '' if it leads nowhere."""
    keys = keys_taken(line)
    found: list[Entry] = [(name, key, ()) for name, key in keys]
    if line.is_hosts:
        return found
    if not line.is_any:
        found.append(("listening", (line.address,), ()))
    if line.is_whole:
        to = (target,) if target else None
        found += [("from_addresses", (source.text, line.address), to) for source in line.sources]
        if not line.sources:
            found.append(("addresses", (line.address,), to))
        if target and line.outgoing:
            found.append(("outgoing", (bridge, target), (line.address,)))
    for span, (_, key) in zip(line.spans, keys):
        found += _of_span(line, span, key, target, bridge)
    return found


def keys_taken(line: Forward) -> list[tuple[str, Element]]:
    """Return set and key of each element by which the host gives up what the line is about, or keeps it."""
    address = line.address
    if line.is_whole:
        return [("taken_addresses", (address,))]
    spans = [(span.first == span.last, span.protocol, range_text(span.first, span.last)) for span in line.spans]
    if line.is_any:
        return [("taken_any", (protocol, ports)) for _, protocol, ports in spans]
    if line.is_hosts:
        return [("kept", (address, protocol, ports)) for _, protocol, ports in spans]
    return [("taken" if is_port else "taken_ranges", (address, protocol, ports)) for is_port, protocol, ports in spans]


def _of_span(line: Forward, span: Span, key: Element, target: str, bridge: str) -> list[Entry]:
    """Return where ports with this key lead, and what the guest sends from there."""
    is_range = span.first < span.last
    name = "ranges" if is_range else "any_ports" if line.is_any else "ports"
    to: Element = (target,) if is_range else (target, str(span.to))
    data = to if target else None
    if not line.sources:
        found: list[Entry] = [(name, key, data)]
    else:
        found = [(f"from_{name}", (source.text, *key), data) for source in line.sources]
    if line.as_host:
        found.append(("hidden", key, ()))
    if line.outgoing and target:
        found.append(("outgoing_ports", (bridge, target, span.protocol, str(span.to)), (line.address, key[-1])))
    return found


def is_in_force(line: Forward, table: Table | None) -> bool:
    """Return whether the host has given up the ports of the line; ``table`` is the one of its family."""
    return table is not None and all(key in table.elements[name] for name, key in keys_taken(line))


def no_longer_kept(lines: Iterable[Forward], tables: Iterable[Table | None]) -> set[Element]:
    """Return address, protocol and port of what stays with the host now, and with none of these lines."""
    there = {element for table in tables if table for element in table.elements["kept"]}
    return there.difference(key for line in lines if there and line.is_hosts for _, key in keys_taken(line))


def addresses_taken(*tables: Table | None) -> set[str]:
    """Return the listening addresses that these tables forward something of, or all."""
    names = ("taken", "taken_ranges", "taken_addresses")
    return {element[0] for table in tables if table for name in names for element in table.elements[name]}


def know(elements: Elements, network: Network, family: int) -> None:
    """Want what the table knows of a network that libvirt has told of."""
    elements["bridges"].add((network.bridge,))
    if network.name:  # of a bridge of which nobody has told, nobody knows the subnets
        elements["linked"].add((network.bridge,))
    if network.is_isolated:
        elements["isolated"].add((network.bridge,))
    on_link = disjoint(each for each in (*network.subnets, *network.routes) if each.family == family)
    elements["on_link"].update((network.bridge, each.text) for each in on_link)


def listening_address(name: str, key: Element, family: int) -> str:
    """Return the listening address that an element with this key is about."""
    return ANY[family] if name.endswith("any") or name.startswith("any") else key[name.startswith("from")]
