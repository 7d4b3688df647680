"""What others write that uses our bit of the packet mark is found, by the real tools; what fails ends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.faults import Fault, Missing
from tests.kernel.installation_host import InstallationHost

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = """table inet admin {
 map m { type ipv4_addr : mark; }
 set million { type ipv4_addr; }
 chain pre { type filter hook prerouting priority mangle; RULE; }
}
"""
FORWARD = 'nft "add table inet f; add chain inet f c { type filter hook forward priority 0; };'
IPTABLES = "-tool, table mangle, chain PREROUTING: -A PREROUTING"

FOUND = {
    "ip rule add fwmark 0x10000000/0x10000000 lookup 7 priority 90": (
        "is also used by ip -4 rule 90: fwmark 0x10000000/0x10000000 lookup 7; write mark-bit = 0x20000000 into"
    ),
    "ip -6 rule add fwmark 0x10000064 lookup 7 priority 90": (
        "is also used by ip -6 rule 90: fwmark 0x10000064 lookup 7"
    ),
    "ip rule add fwmark 0x10000/0xffff0000 lookup 7 priority 90": (
        "may also be used by ip -4 rule 90: fwmark 0x10000/0xffff0000 lookup 7; write mark-bit = 0x8000 into"
    ),
    "nft: meta mark set 0x10000064": "is also used by nftables chain inet admin pre: meta mark set 0x10000064;",
    "nft: meta mark & 0x10000000 == 0x10000000 accept": "is also used by nftables chain inet admin pre: meta mark &",
    "nft: meta mark set ip saddr map @m": "may also be used by nftables chain inet admin pre: meta mark set ip saddr",
    "nft: ct mark set 0x30000000": "chain inet admin pre: ct mark set 0x30000000; write mark-bit = 0x40000000 into",
    **{
        f"{tool} -t mangle -A PREROUTING -j MARK --or-mark 0x10000000": (
            f"is also used by {tool}, table mangle, chain PREROUTING:"
            " -A PREROUTING -j MARK --set-xmark 0x10000000/0x10000000;"
        )
        for tool in ("iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy")
    },
    "iptables-nft -t nat -A POSTROUTING -m mark --mark 0x10000000/0x10000000 -j ACCEPT": (
        "iptables-nft, table nat, chain POSTROUTING: -A POSTROUTING -m mark --mark 0x10000000/0x10000000 -j ACCEPT"
    ),
    "iptables-nft -t mangle -A PREROUTING -j CONNMARK --restore-mark --mask 0xffff0000": "may also be used by iptables",
}
NOT_FOUND = (
    "ip rule add fwmark 51820 lookup 51820",
    "ip rule add not fwmark 0xca6c lookup 7",
    "ip rule add fwmark 0x80000/0xff0000 lookup 52",
    "nft: meta mark set 100",
    "nft: meta mark set ct mark",
    "iptables-nft -t mangle -A PREROUTING -j MARK --set-mark 100",
    "iptables-legacy -t mangle -A PREROUTING -j CONNMARK --restore-mark",
    f'{FORWARD} add rule inet f c meta mark & 0x10000000 == 0x10000000 accept"',
    "iptables-nft -I FORWARD -m mark --mark 0x10000000/0x10000000 -j RETURN",
    "iptables-nft -I FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment nethook-0x10000000 -j ACCEPT",
)


@pytest.fixture
def host() -> Iterator[InstallationHost]:
    made = InstallationHost()
    yield made
    made.close()


def write(host: InstallationHost, written: str) -> None:
    """Have somebody write this."""
    rule = written.removeprefix("nft: ")
    if rule != written:
        host.machine.nft(TABLE.replace("RULE", rule))
    else:
        host.machine.run("sh", "-c", rule)


def said(host: InstallationHost, written: str) -> str:
    """What install says when somebody has written this."""
    write(host, written)
    return host.nethook("install", "--dry-run", status=1)[1]


@pytest.mark.parametrize("written", FOUND)
def test_what_uses_our_bit_is_named_with_a_bit_that_is_free(host: InstallationHost, written: str) -> None:
    expected = FOUND[written]
    err = said(host, written)
    assert "nethook: bit 0x10000000 of the packet mark, which is ours, " in err
    assert expected in err
    assert "into /etc/nethook/nethook.conf, then run nethook apply\n" in err


def test_what_does_not_use_our_bit_is_not_named(host: InstallationHost) -> None:
    """All of it together, because each of it would be named."""
    for written in NOT_FOUND:
        write(host, written)
    assert "of the packet mark" not in host.nethook("install", "--dry-run", status=1)[1]


def test_the_bit_of_the_settings_is_looked_for(host: InstallationHost) -> None:
    host.machine.write("/etc/nethook/nethook.conf", "mark-bit = 0x4\n")
    assert "bit 0x4 of the packet mark, which is ours, is also used by nftables" in said(host, "nft: meta mark set 100")


@pytest.mark.parametrize("tool", ["nft", "iptables-nft-save", "iptables-legacy-save", "ip"])
@pytest.mark.parametrize("kind", ["exit 1", "garbage"])
def test_what_cannot_be_read_is_not_looked_at_and_ends_nothing(host: InstallationHost, tool: str, kind: str) -> None:
    host.machine.run("iptables-legacy", "-t", "mangle", "-A", "PREROUTING", "-j", "ACCEPT")
    fault = Fault(host.machine, [tool], kind)
    out, err = host.nethook("install", "--dry-run", status=1)
    fault.mend()
    assert "would write /etc/libvirt/hooks/network.d/50-nethook" in out
    if kind == "exit 1" or not tool.endswith("save"):
        assert f"nethook: not checked for other users of our mark bit: `{tool}" in err


@pytest.mark.parametrize("tool", ["iptables-nft-save", "nft"])
def test_a_tool_that_is_not_there_ends_nothing(host: InstallationHost, tool: str) -> None:
    missing = Missing(host.machine, tool)
    out, _ = host.nethook("install", "--dry-run", status=1)
    missing.mend()
    assert "would write /etc/libvirt/hooks/network.d/50-nethook" in out
