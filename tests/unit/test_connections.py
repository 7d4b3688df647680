"""Descriptions of connections: what they mean, how they are written, and that nothing else is deleted."""

from __future__ import annotations

import random

import pytest

from nethook.host import Host, conntrack
from nethook.host.conntrack import Connections, Entry, Search, described, is_description
from nethook.host.fake import FakeHost
from nethook.parts.flows import FlowStep, Owed, read
from nethook.prefix import parse_address
from tests.unit.machine import connection

A, OLD, NEW, CLIENT = "203.0.113.1", "192.168.122.5", "192.168.122.6", "198.51.100.7"
TO_OLD = connection(CLIENT, A, port=80, at=OLD)
TO_HOST = connection(CLIENT, A, port=80)


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (f"to={A} protocol=tcp ports=80 at={OLD}", TO_OLD),
        (f"to={A} protocol=tcp ports=1-80", TO_OLD),
        (f"to={A}", TO_OLD),
        (f"at={OLD}", TO_OLD),
        (f"to={A} protocol=tcp ports=80 not_at={NEW}", TO_OLD),
        (f"to={A} protocol=tcp not_source=192.0.2.0/24,198.51.100.8", TO_OLD),
        (f"to={A} protocol=tcp ports=80 at={A}", TO_HOST),
        (f"source={OLD} left_as={A}", connection(OLD, "192.0.2.1", left_as=A)),
        ("203.0.113.0/24", TO_HOST),
        ("198.51.100.0/24", TO_OLD),
        ("2001:db8:7::/64", connection("2001:db8::1", "2001:db8:7::9")),
    ],
)
def test_it_is_one_of_them(line: str, entry: Entry) -> None:
    assert any(each.match(entry) for each in described(line))


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (f"to={A} protocol=tcp ports=80 at={OLD}", TO_HOST),
        (f"to={A} protocol=udp ports=80 at={OLD}", TO_OLD),
        (f"to={A} protocol=tcp ports=81-90", TO_OLD),
        (f"to={A} protocol=tcp ports=80 not_at={OLD}", TO_OLD),
        (f"to={A} protocol=tcp ports=80 not_at={NEW}", TO_HOST),
        (f"to={A} not_source=198.51.100.0/24", TO_OLD),
        (f"source={OLD} left_as={A}", connection(OLD, "192.0.2.1", left_as=CLIENT)),
        ("203.0.113.0/24", TO_OLD),
        ("::/0", TO_OLD),
    ],
)
def test_it_is_none_of_them(line: str, entry: Entry) -> None:
    assert not any(each.match(entry) for each in described(line))


@pytest.mark.parametrize(
    "line",
    [
        *("", "x", "virbr1 5", "203.0.113.1/8", "to=", "to=x", "protocol=tcp ports=80", f"not_at={A}", f"to={A} x"),
        *(f"to={A} protocol=icmp", f"to={A} ports=80", f"to={A} protocol=tcp ports=", f"to={A} from={OLD}"),
        *(f"to={A} protocol=tcp ports=70000", f"to={A} protocol=tcp ports=1-x", f"to={A} at=2001:db8::1", "-x=1"),
    ],
)
def test_it_is_no_description(line: str) -> None:
    """Above all: none of protocol and port alone, which would be everybody's."""
    assert not is_description(line)


def test_it_is_written_as_it_is_read() -> None:
    line = f"to={A} protocol=udp ports=5000-5999 at={OLD} not_source=192.0.2.0/24,198.51.100.8"
    assert [str(each) for each in described(line)] == [line]
    assert (
        str(Connections(to=A, protocol="udp", ports="53", not_at=NEW)) == f"to={A} protocol=udp ports=53 not_at={NEW}"
    )


def test_a_search_finds_what_each_description_matches() -> None:
    chance = random.Random(1)  # noqa: S311 - the same at each run
    for _ in range(50):
        lines = [_line(chance) for _ in range(chance.choice((1, 5, 50)))]
        about = [(line, each) for line in lines for each in described(line)]
        search = Search(about)
        for _ in range(50):
            entry = _entry(chance)
            matching = {line for line, each in about if each.match(entry)}
            assert (search.line_of(entry) in matching) if matching else (search.line_of(entry) is None)


def _address(chance: random.Random) -> str:
    return f"192.0.2.{chance.randrange(4)}"


def _entry(chance: random.Random) -> Entry:
    addresses = tuple(parse_address(_address(chance))[1] for _ in range(4))
    return Entry(4, addresses, chance.choice((6, 17)), chance.randrange(4))


def _line(chance: random.Random) -> str:
    words = [f"{chance.choice(('to', 'source', 'at', 'left_as'))}={_address(chance)}"]
    words += [f"not_at={_address(chance)}"] * chance.randrange(2)
    words += [f"not_source={_address(chance)}"] * chance.randrange(2)
    first = chance.randrange(4)
    ports = chance.choice((str(first), f"{first}-{first + 1}"))
    words += [f"protocol={chance.choice(('tcp', 'udp'))} ports={ports}"] * chance.randrange(2)
    return chance.choice((" ".join(words), f"192.0.2.{chance.choice((0, 2))}/31"))


def test_a_kernel_that_tracks_nothing_has_nothing_to_delete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "COUNT", "/nowhere")
    deleted = Host(1).delete_connections([f"to={A}"], 1)
    assert (deleted.counts, list(deleted.left), deleted.failure) == ({f"to={A}": 0}, [], "")


def test_what_a_part_says_of_its_own_is_owed_as_a_prefix_is() -> None:
    host = FakeHost()
    host.connections = [TO_OLD, TO_HOST]
    with host.locked():
        host.record("/run/nethook/owed.1.2", "203.0.113.40\n")
    lines = [f"to={A} protocol=tcp ports=80 at={OLD}"]
    step = FlowStep(lines, Owed()).joined(FlowStep(read(host).lines, read(host)))
    assert step.note(host) == []
    assert read(host).lines == {*lines, "203.0.113.40"}
    done, failures = step.take(host)
    assert [str(effect) for effect in done] == ["- connections of 203.0.113.1:80/tcp to its former place"]
    assert failures == []
    assert host.connections == [TO_HOST]
    assert read(host).lines == set()
