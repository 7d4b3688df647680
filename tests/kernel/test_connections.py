"""Connections are deleted exactly: what must go to somebody else does, and no other session notices."""

from __future__ import annotations

import random
import select
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from lab.namespace import UnnamedNamespace
from lab.world.packets import PATIENCE
from lab.world.tracking import track
from nethook.host import Host
from nethook.host.conntrack import Entry, described
from nethook.host.fake import FakeHost
from nethook.prefix import BITS, address_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.namespace import Namespace
    from lab.world.world import World

SSH, DNS, GAME, OTHER = 22, 53, 5353, 9
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
families = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])


def opened(namespace: Namespace, kind: socket.SocketKind, address: str, port: int = 0) -> socket.socket:
    """A socket there, bound to this address and port."""
    with namespace.entered():
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.settimeout(PATIENCE)
    made.bind((address, port))
    return made


class Forwarded:
    """A host with two guests; a client outside talks to an address of the host, with UDP and a TCP session."""

    def __init__(self, world: World, family: int, stack: ExitStack) -> None:
        self.world = world
        self.family = family
        self.address = world.host_itself(family).address
        network = world.network("public", 1, "open")
        self.guests = [world.guest(network) for _ in range(2)]
        self.private = [guest.private(family).address for guest in self.guests]
        self.forward(self.to("udp", OTHER, 0))  # without a rule for NAT the kernel tracks nothing
        client = world.outside(family)
        namespaces = {"host": world.host, "first": self.guests[0].namespace, "second": self.guests[1].namespace}
        addresses = {"host": self.address, "first": self.private[0], "second": self.private[1]}
        self._servers = {
            (name, port): stack.enter_context(opened(each, socket.SOCK_DGRAM, addresses[name], port))
            for name, each in namespaces.items()
            for port in (DNS, GAME)
        }
        self._clients = {
            port: stack.enter_context(opened(client.namespace, socket.SOCK_DGRAM, client.address))
            for port in (DNS, GAME)
        }
        listening = stack.enter_context(opened(world.host, socket.SOCK_STREAM, self.address, SSH))
        listening.listen()
        self._session = stack.enter_context(opened(client.namespace, socket.SOCK_STREAM, client.address))
        self._session.connect((self.address, SSH))
        self._accepted = stack.enter_context(listening.accept()[0])

    def forward(self, *targets: str) -> None:
        """Have these ports of the address, and no others, lead to the guests with these addresses."""
        ip = "ip" if self.family == 4 else "ip6"
        rules = [f"add rule {ip} test to {ip} daddr {self.address} {each}" for each in targets]
        commands = (
            f"add table {ip} test",
            f"delete table {ip} test",
            f"add table {ip} test",
            f"add chain {ip} test to {{ type nat hook prerouting priority dstnat; }}",
            *rules,
        )
        self.world.machine.nft("\n".join(commands))

    def to(self, protocol: str, port: int, guest: int) -> str:
        return f"{protocol} dport {port} dnat to {self.private[guest]}"

    def who_answers(self, port: int) -> str:
        """Who gets a packet of the client's flow to this port."""
        self._clients[port].sendto(b"hello", (self.address, port))
        servers = {server: name for (name, of), server in self._servers.items() if of == port}
        heard, _, _ = select.select(servers, (), (), PATIENCE)
        for server in heard:
            server.recv(100)
        return ", ".join(servers[server] for server in heard)

    def has_session(self) -> bool:
        """Whether the client's TCP session with the host goes on."""
        self._session.sendall(b"still there?")
        return self._accepted.recv(100) == b"still there?"

    def delete(self, *lines: str) -> int:
        with self.world.host.entered():
            deleted = Host(10).delete_connections(lines, 10)
        assert not deleted.failure
        assert not deleted.left
        return sum(deleted.counts.values())


@pytest.fixture
def forwarded(nftables_world: World, family: int) -> Iterator[Forwarded]:
    with ExitStack() as stack:
        yield Forwarded(nftables_world, family, stack)


@families
def test_a_new_line_moves_udp_flows_and_leaves_the_administrators_session(forwarded: Forwarded) -> None:
    assert [forwarded.who_answers(port) for port in (DNS, GAME)] == ["host", "host"]
    forwarded.forward(forwarded.to("tcp", SSH, 0), forwarded.to("udp", DNS, 0), forwarded.to("udp", GAME, 0))
    assert [forwarded.who_answers(port) for port in (DNS, GAME)] == ["host", "host"]
    new = [f"to={forwarded.address} protocol=udp ports={DNS} at={forwarded.address}"]
    assert forwarded.delete(*new) == 1
    assert [forwarded.who_answers(port) for port in (DNS, GAME)] == ["first", "host"]
    assert forwarded.has_session()
    assert forwarded.delete(*new) == 0


@families
def test_a_new_target_moves_its_own_flows_alone(forwarded: Forwarded) -> None:
    forwarded.forward(forwarded.to("udp", DNS, 0), forwarded.to("udp", GAME, 0))
    assert [forwarded.who_answers(port) for port in (DNS, GAME)] == ["first", "first"]
    forwarded.forward(forwarded.to("udp", DNS, 1), forwarded.to("udp", GAME, 1))
    assert forwarded.delete(f"to={forwarded.address} protocol=udp ports={DNS} at={forwarded.private[0]}") == 1
    assert [forwarded.who_answers(port) for port in (DNS, GAME)] == ["second", "first"]
    line = f"to={forwarded.address} protocol=udp ports=1-60000 not_at={forwarded.private[1]}"
    assert forwarded.delete(line) == 1
    assert [forwarded.who_answers(port) for port in (DNS, GAME)] == ["second", "second"]
    assert forwarded.has_session()


@families
def test_sources_that_may_no_longer_come(forwarded: Forwarded) -> None:
    forwarded.forward(forwarded.to("udp", DNS, 0))
    assert forwarded.who_answers(DNS) == "first"
    client = forwarded.world.outside(forwarded.family).address
    start = f"to={forwarded.address} protocol=udp ports={DNS} at={forwarded.private[0]}"
    assert forwarded.delete(f"{start} not_source={client}") == 0
    other = "192.0.2.0/24" if forwarded.family == 4 else "2001:db8:2::/48"
    assert forwarded.delete(f"{start} not_source={other}") == 1
    assert forwarded.has_session()


LINES = {
    4: (
        *(
            "203.0.113.1",
            "198.51.100.0/30",
            "to=203.0.113.1 at=192.168.122.1",
            "at=192.168.122.2",
            "source=198.51.100.1",
        ),
        *("source=198.51.100.2 left_as=203.0.113.2", "to=203.0.113.2 protocol=tcp ports=1 at=203.0.113.2"),
        *("to=203.0.113.0/31 protocol=udp ports=2-3 at=192.168.122.3", "to=203.0.113.3 not_at=192.168.122.3"),
        "to=203.0.113.1 protocol=tcp ports=3 not_source=198.51.100.0/31",
    ),
    6: (
        *("2001:db8:7::1", "2001:db8:f::/126", "to=2001:db8:7::1 at=fd00::1", "at=fd00::2", "source=2001:db8:f::1"),
        *("source=2001:db8:f::2 left_as=2001:db8:7::2", "to=2001:db8:7::2 protocol=tcp ports=1 at=2001:db8:7::2"),
        *("to=2001:db8:7::/127 protocol=udp ports=2-3 at=fd00::3", "to=2001:db8:7::3 not_at=fd00::3"),
        "to=2001:db8:7::1 protocol=tcp ports=3 not_source=2001:db8:f::/127",
    ),
}
BASES = {4: (0xCB007100, 0xC6336400, 0xC0A87A00), 6: (0x20010DB80007 << 80, 0x20010DB8000F << 80, 0xFD00 << 112)}
"""Listening addresses, clients and guests."""


def entries(family: int, chance: random.Random) -> Iterator[Entry]:
    """Yield connections of which each description has some and does not have others."""
    own, clients, guests = BASES[family]
    for _ in range(300):
        to, source = own + chance.randrange(4), clients + chance.randrange(4)
        at, left_as = chance.choice((to, guests + chance.randrange(4))), chance.choice((source, own + 2))
        yield Entry(family, (to, source, at, left_as), chance.choice((6, 17)), chance.randrange(4))


@pytest.mark.parametrize("zone", [0, 7])
@pytest.mark.parametrize("together", [1, 3, 10])
def test_the_kernel_deletes_what_the_fake_host_does(zone: int, together: int) -> None:
    """With filters in the kernel and, where more is wanted at once, without."""
    chance = random.Random(together)  # noqa: S311 - the same at each run
    namespace, fake = UnnamedNamespace(), FakeHost()
    lines = [line for of_family in LINES.values() for line in of_family]
    with namespace.entered():
        for start in range(0, len(lines), together):
            some = lines[start : start + together]
            fake.connections = [each for family in BITS for each in entries(family, chance)]
            track(fake.connections, zone)
            deleted = Host(10).delete_connections(some, 10)
            expected = fake.delete_connections(some, 10)
            assert sum(deleted.counts.values()) == sum(expected.counts.values()) > 0, some
            assert not deleted.failure
            everything = [f"to={prefix}" for prefix in ("0.0.0.0/0", "::/0")]
            rest = Host(10).delete_connections(everything, 10)
            assert sum(rest.counts.values()) == len(fake.connections), some
    namespace.close()


def test_what_has_ended_meanwhile_is_no_failure() -> None:
    namespace = UnnamedNamespace()
    entry = Entry(4, (1, 2, 1, 2), 6, 80)
    line = f"to={address_text(4, 1)}"
    assert [each.match(entry) for each in described(line)] == [True]
    with namespace.entered():
        track([entry])
        deleted: Sequence[int] = [sum(Host(10).delete_connections([line], 10).counts.values()) for _ in range(2)]
    namespace.close()
    assert deleted == [1, 0]
