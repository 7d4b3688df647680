"""Elements of every set and map: written by nft and over netlink, read back as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.namespace import UnnamedNamespace
from lab.processes import run
from lab.world.machine import Machine
from nethook.errors import ReadError
from nethook.host import Host
from nethook.host.layout import Layout
from nethook.host.nftables import encoded
from nethook.parts import binding
from nethook.parts.classifying import SETS as CLASSIFYING
from nethook.parts.classifying import Ruleset
from nethook.parts.forwards.ruleset import FAMILIES, SETS, layout
from tests.kernel import golden, listings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.host.nftables import Element, Elements

IPV4: dict[str, list[str]] = {
    "ports": ["203.0.113.1 tcp 80 192.0.2.2 8080", "203.0.113.1 udp 80 192.0.2.2 80", "203.0.113.2 tcp 80 192.0.2.3 1"],
    "ranges": [
        "203.0.113.1 tcp 5000-5999 192.0.2.2",
        "203.0.113.1 tcp 6000 192.0.2.2",
        "203.0.113.2 udp 1-65535 192.0.2.3",
    ],
    "addresses": ["203.0.113.5 192.0.2.2"],
    "from_ports": [
        "198.51.100.0/24 203.0.113.1 tcp 3389 192.0.2.2 3389",
        "192.0.2.7 203.0.113.1 tcp 3389 192.0.2.3 22",
    ],
    "from_ranges": ["0.0.0.0/1 203.0.113.1 tcp 5000-5999 192.0.2.2", "198.51.100.7 203.0.113.1 udp 1-9 192.0.2.2"],
    "from_addresses": ["198.51.100.0/24 203.0.113.5 192.0.2.2", "198.51.101.7 203.0.113.5 192.0.2.2"],
    "any_ports": ["tcp 25565 192.0.2.2 25565", "udp 53 192.0.2.2 5353"],
    "led_any": ["tcp 25565 192.0.2.2 25565", "udp 53 192.0.2.2 5353"],
    "taken": ["203.0.113.1 tcp 80", "203.0.113.1 udp 65535"],
    "taken_ranges": ["203.0.113.1 tcp 0-65535"],
    "taken_addresses": ["203.0.113.5"],
    "taken_any": ["tcp 25565"],
    "kept": ["203.0.113.5 tcp 22"],
    "listening": ["203.0.113.1", "203.0.113.5"],
    "outgoing": ["virbr0 192.0.2.2 203.0.113.5", "br*x 192.0.2.2 203.0.113.5"],
    "floating": ["virbr0 192.0.2.2", "a.bridge,long 192.0.2.2"],
    "outgoing_ports": ["virbr0 192.0.2.2 udp 51820 203.0.113.1 51820"],
    "hidden": ["203.0.113.1 tcp 8090"],
    "bridges": ["virbr0", "ends*"],
    "isolated": ["virbr1"],
    "on_link": ["virbr0 192.0.2.0/29", "virbr1 192.0.2.9", "virbr0 10.0.0.0/8"],
    "linked": ["virbr0"],
    "gateways": ["192.0.2.1"],
}
"""Fields of elements, with spaces between."""
IPV6 = {
    name: [
        text.replace("203.0.113.", "2001:db8:7::")
        .replace("192.0.2.0/29", "fd00:122::/64")
        .replace("10.0.0.0/8", "fd00:123::/48")
        .replace("192.0.2.", "fd00:122::")
        .replace("198.51.100.0/24", "2001:db8:64::/48")
        .replace("198.51.100.", "2001:db8:64::")
        .replace("198.51.101.", "2001:db8:65::")
        .replace("0.0.0.0/1", "::/1")
        for text in texts
    ]
    for name, texts in IPV4.items()
}
ELEMENTS = {4: IPV4, 6: IPV6}


class Place(NamedTuple):
    """A network namespace, and the program's host in it."""

    namespace: UnnamedNamespace
    host: Host

    def nft(self, *commands: str) -> None:
        with self.namespace.entered():
            run(["nft", "-f", "-"], stdin="\n".join(commands))

    def read(self, table: Layout) -> Elements | None:
        with self.namespace.entered():
            return self.host.elements(table.family, table.sets)


@pytest.fixture
def place() -> Iterator[Place]:
    made = UnnamedNamespace()
    yield Place(made, Host(60))
    made.close()


def elements(family: int) -> Elements:
    """Elements for each set of this family's table."""
    return {name: {tuple(text.split()) for text in texts} for name, texts in ELEMENTS[family].items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_what_nft_writes_is_read_and_deleted(place: Place, family: int) -> None:
    table, wanted = layout(family, 0x10), elements(family)
    assert wanted.keys() == SETS[family].keys()
    place.nft(*table.creation(), *table.additions(wanted))
    assert place.read(table) == wanted
    place.nft(*table.deletions(wanted))
    assert place.read(table) == {name: set() for name in wanted}


@pytest.mark.parametrize("family", FAMILIES)
def test_other_data_for_the_same_key_in_one_transaction(place: Place, family: int) -> None:
    table, wanted = layout(family, 0x10), elements(family)
    place.nft(*table.creation(), *table.additions(wanted))
    maps = {name: kind for name, kind in SETS[family].items() if kind.data}
    target = {4: "192.0.2.99", 6: "fd00:122::99"}[family]
    others: Elements = {
        name: {(*element[: len(kind.fields)], target, *element[len(kind.fields) + 1 :]) for element in wanted[name]}
        for name, kind in maps.items()
    }
    gone = {name: wanted[name] for name in maps}
    place.nft(*table.deletions(gone), *table.additions(others))
    assert place.read(table) == {**wanted, **others}


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_written_over_netlink(place: Place, family: int) -> None:
    table = layout(family, 0x10)
    written = {name: elements(family)[name] for name in ("bridges", "isolated", "on_link", "linked", "gateways")}
    written["bridges"].add(('a"b',))
    place.nft(*table.creation())
    keys = {name: [encoded(table.sets[name], each) for each in some] for name, some in written.items()}
    with place.namespace.entered():
        place.host.change_elements(table.family, keys, {})
        place.host.change_elements(table.family, keys, {})
    read = place.read(table)
    assert read is not None
    assert {name: read[name] for name in written} == written
    with place.namespace.entered():
        place.host.change_elements(table.family, {}, keys)
    assert not any((place.read(table) or {"": {("",)}}).values())


@pytest.mark.parametrize("family", FAMILIES)
def test_elements_of_others(place: Place, family: int) -> None:
    """Comments, elements for all other keys, protocols without a word of ours, ranges where we have none."""
    table = layout(family, 0x10)
    mine, target = {4: ("203.0.113.1", "192.0.2.2"), 6: ("2001:db8:7::1", "fd00:122::2")}[family]
    start = f"add element {table.table}"
    place.nft(
        *table.creation(),
        f'{start} ports {{ {mine} . tcp . 80 comment "of somebody" : {target} . 80 }}',
        f"{start} ports {{ {mine} . sctp . 80 : {target} . 80 }}",
        f"{start} ports {{ {mine} . 255 . 80 : {target} . 80, * : {target} . 81 }}",
        f"{start} ranges {{ {mine} . 6-17 . 80 : {target}, * : {target} }}",
        f"{start} addresses {{ * : {target} }}",
        f'{start} on_link {{ "virbr*" . {target}, "x" . {target}-{target}9 }}',
    )
    read = place.read(table)
    assert read is not None
    assert read["ports"] == {
        (mine, "tcp", "80", target, "80"),
        (mine, "132", "80", target, "80"),
        (mine, "255", "80", target, "80"),
    }
    assert read["ranges"] == {(mine, "tcp", "80", target)}
    assert read["on_link"] == {("virbr", target), ("x", f"{target}-{target}9")}
    assert read["addresses"] == set()
    place.nft(*table.deletions(read))
    assert not any((place.read(table) or {"": {("",)}}).values())


OTHER_TYPES = {
    "ports": "{ type ipv4_addr; elements = { 192.0.2.1 } }",
    "addresses": "{ type ipv4_addr : ipv4_addr . inet_service; elements = { 192.0.2.1 : 192.0.2.2 . 3 } }",
    "taken": "{ type ether_addr; elements = { 52:54:00:00:00:01 } }",
    "taken_ranges": "{ type ipv4_addr; flags interval; elements = { 192.0.2.0/24 } }",
    "gateways": "{ type ipv4_addr . inet_service; elements = { 192.0.2.1 . 80 } }",
    "ranges": "{ type ipv4_addr . inet_service; flags interval; elements = { 192.0.2.1 . 1 } }",
    "any_ports": "{ type inet_proto . inet_service; elements = { tcp . 1 } }",
}


@pytest.mark.parametrize("name", OTHER_TYPES)
def test_a_set_of_another_type_is_an_error_for_people(place: Place, name: str) -> None:
    word = "map" if " : " in OTHER_TYPES[name] else "set"
    place.nft("add table ip nethook", f"add {word} ip nethook {name} {OTHER_TYPES[name]}")
    with place.namespace.entered(), pytest.raises(ReadError, match="elements of another type than ours"):
        place.host.elements("ip", {name: SETS[4][name]})


def test_counters_of_maps(place: Place) -> None:
    table, wanted = layout(4, 0x10), elements(4)
    place.nft(*table.creation(), *table.additions(wanted))
    counting = {name: kind for name, kind in table.sets.items() if kind.counts}
    with place.namespace.entered():
        counted = place.host.traffic("ip", counting)
    read: Elements = {name: set() for name in counting}
    for name, element, traffic in counted:
        read[name].add(element)
        assert (traffic.packets, traffic.bytes) == (0, 0)
    assert read == {name: wanted[name] for name in counting}


def test_the_listing(place: Place) -> None:
    """What nft lists is as it should be, and nft reads it back as the same."""
    machine = Machine()
    sayable = {family: elements(family) for family in FAMILIES}
    for each in sayable.values():
        each["bridges"].remove(("ends*",))  # nft lists it as if it were a wildcard
    before = listings.foreign(machine)
    for family in FAMILIES:
        table = layout(family, 0x10)
        machine.nft(*table.creation(), *table.additions(sayable[family]))
    golden.check("forwards", listings.ours(machine))
    listed = machine.run("nft", "--stateless", "list", "ruleset")
    assert listings.foreign(machine) == before
    machine.nft("flush ruleset", listed)
    golden.check("forwards", listings.ours(machine))
    for family in FAMILIES:
        table = layout(family, 0x10)
        with machine.namespace.entered():
            read = place.host.table(table.family, table.sets)
        assert read is not None
        assert table.is_intact(read.comments)
        assert read.elements == sayable[family]
    machine.close()


def test_which_tables_of_ours_there_are() -> None:
    """Those of our name, in all families that we know; a table that tells of ours in its comment is not one."""
    machine, host = Machine(), Host(60)

    def there() -> set[str]:
        with machine.namespace.entered():
            return host.tables()

    assert there() == set()
    machine.nft('add table ip other { comment "nethook"; }', "add table netdev nethook", "add table inet nethook2")
    assert there() == set()
    machine.nft(*(f"add table {family} nethook" for family in ("inet", "ip", "ip6", "arp", "bridge")))
    assert there() == {"inet", "ip", "ip6", "arp", "bridge"}
    machine.nft("delete table ip6 nethook")
    assert there() == {"inet", "ip", "arp", "bridge"}
    machine.close()


def addresses(*single: str) -> set[Element]:
    return {tuple(text.split()) for text in single}


def test_sets_of_the_other_tables(place: Place) -> None:
    inet = Ruleset(0x10)
    wanted: Elements = {
        "bridges": addresses("virbr0"),
        "to4": addresses("virbr0 203.0.113.1", "virbr0 203.0.113.2"),
        "to4_prefixes": addresses("virbr0 203.0.113.16/28"),
        "to6_prefixes": addresses("virbr0 2001:db8:7::/64"),
        "routed6": addresses("2001:db8:7::1"),
        "routed4_prefixes": addresses("203.0.113.16/28", "203.0.113.64/26"),
    }
    place.nft(*inet.creation(), *inet.additions(wanted))
    assert place.read(inet) == {**{name: set() for name in CLASSIFYING}, **wanted}
    bound: Elements = {
        "holders4": addresses("52:54:00:00:00:01 203.0.113.1"),
        "claimers6": addresses("52:54:00:00:00:01 2001:db8:7::1"),
        "claimed6_prefixes": addresses("2001:db8:7::/64"),
        "claimers6_prefixes": addresses("52:54:00:00:00:01 2001:db8:7::/64"),
        "nics": addresses("52:54:00:00:00:01"),
        "taps": addresses("17"),
        "nic_taps": addresses("17 52:54:00:00:00:01"),
    }
    place.nft(*binding.LAYOUT.creation(), *binding.LAYOUT.additions(bound))
    assert place.read(binding.LAYOUT) == {**{name: set() for name in binding.SETS}, **bound}
