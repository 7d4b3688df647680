"""A host booted with ipv6.disable=1: its IPv4 lines work, and its IPv6 lines are said to be of no use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kernel import listings

if TYPE_CHECKING:
    from lab.world.world import World

IP = """#!/bin/sh
case " $* " in *" -6 "*) echo 'RTNETLINK answers: Operation not supported' >&2; exit 2;; esac
exec /usr/libexec/ip-real "$@"
"""
IP6TABLES = """#!/bin/sh
echo "can't initialize ip6tables table \\`filter': Address family not supported by protocol" >&2
exit 3
"""


def lose_ipv6(world: World) -> None:
    """Make the host as it is there: no settings of IPv6, and tools that cannot do it."""
    machine = world.machine
    machine.run("sh", "-c", "mount -t tmpfs none /proc/sys/net/ipv6 && mkdir -p /usr/libexec")
    machine.run("sh", "-c", 'mv "$(readlink -f /usr/sbin/ip)" /usr/libexec/ip-real; rm -f /usr/sbin/ip /usr/bin/ip')
    machine.write("/usr/sbin/ip", IP, 0o755)
    for variant in ("nft", "legacy"):
        for tool in (f"ip6tables-{variant}", f"ip6tables-{variant}-restore"):
            machine.run("rm", f"/usr/sbin/{tool}")
            machine.write(f"/usr/sbin/{tool}", IP6TABLES, 0o755)


def test_lines_of_ipv4_work(world: World) -> None:
    network = world.network("public", 1)
    guest = world.guest(network, "203.0.113.10")
    lose_ipv6(world)
    world.configure("203.0.113.10 public", "2001:db8:7::10 public", "2001:db8:7:1::/64 public guest=web1")
    for operation in ("start", "started", "port-created", "updated", "port-deleted"):
        assert not [line for line in world.event(network, operation) if line.is_error], operation
    assert world.exchange(world.outside(4), guest.at("203.0.113.10"))
    assert "2001:db8:7" not in world.machine.run("nft", "list", "ruleset")
    world.host.ip(f"link delete {network.bridge}")
    assert not [line for line in world.event(network, "stopped") if line.is_error]


def test_a_bridge_that_is_down_is_said_once(nftables_world: World) -> None:
    network = nftables_world.network("public", 1)
    nftables_world.configure(*(f"203.0.113.{number} public" for number in range(20)), "2001:db8:7::10 public")
    nftables_world.host.ip(f"link set {network.bridge} down")
    errors = [line.text for line in nftables_world.event(network, "started") if line.is_error]
    assert errors == [
        "network public started: cannot add route 203.0.113.0 dev virbr1 and 20 more: "
        "virbr1 is down: run `ip link set virbr1 up`, then `nethook apply`"
    ]


def test_a_bridge_that_is_too_small_for_ipv6_is_said_once(nftables_world: World) -> None:
    network = nftables_world.network("public", 1)
    nftables_world.configure("203.0.113.1 public", *(f"2001:db8:7::{number:x} public" for number in range(20)))
    nftables_world.host.ip(f"link set {network.bridge} mtu 1000")
    errors = [line.text for line in nftables_world.event(network, "started") if line.is_error]
    assert len(errors) == 1, errors
    assert errors[0].endswith(
        "virbr1 has no IPv6, because its MTU is below 1280 bytes: set a larger one, then run `nethook apply`"
    )
    assert "203.0.113.1 dev virbr1" in listings.ours(nftables_world.machine)
