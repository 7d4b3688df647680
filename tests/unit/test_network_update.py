"""What of a network's XML ``virsh net-update`` can change, and reservations in it."""

from __future__ import annotations

import shlex

import pytest

from nethook.errors import NethookError
from nethook.libvirt.network_update import Update, difference
from nethook.libvirt.reservations import Client, Lease, choose, pool_for, pools, refuse, update_for
from nethook.prefix import address_text, parse_address

RANGE = "<range start='192.168.50.100' end='192.168.50.200'/>"
WEB = "<host mac='52:54:00:00:00:01' ip='192.168.50.20'/>"
NIC, OTHER = Client("web1", "52:54:00:00:00:01"), Client("web2", "52:54:00:00:00:02")


def xml(dhcp: str = RANGE, *, more: str = "", forward: str = "<forward mode='nat'/>", more_ips: str = "") -> str:
    """The XML of a network."""
    ip = (
        f"<ip address='192.168.50.1' prefix='24'>\n<dhcp>{dhcp}</dhcp></ip>" if dhcp else "<ip address='192.168.50.1'/>"
    )
    return f"<network connections='2'><name>lan</name>{forward}<bridge name='br'/>{ip}{more_ips}{more}</network>"


SIX = "<ip family='ipv6' address='fd00::1' prefix='64'><dhcp><range start='fd00::2' end='fd00::ff'/></dhcp></ip>"
NAT = "<forward mode='nat'><nat><port start='1024' end='65535'/></nat></forward>"


def test_a_network_that_runs_as_it_is_defined() -> None:
    live = xml(forward=NAT).replace("><", ">\n  <")
    found = difference(live, xml().replace(" connections='2'", ""))
    assert (found.updates, found.rest) == ([], [])


def test_what_net_update_can_change() -> None:
    printer = "<dns><host ip='192.168.50.9'>\n<hostname>printer</hostname></host></dns>"
    changed = WEB.replace(".20", ".21")
    found = difference(
        xml(RANGE + WEB, more="<portgroup name='a'/>"),
        xml(RANGE.replace("100", "120") + changed, more=f"{printer}<portgroup name='a' default='yes'/>"),
    )
    assert [each[:2] + each[3:] for each in found.updates] == [
        ("delete", "ip-dhcp-host", 0),
        ("delete", "ip-dhcp-range", 0),
        ("modify", "portgroup", -1),
        ("add-last", "dns-host", -1),
        ("add-last", "ip-dhcp-host", 0),
        ("add-last", "ip-dhcp-range", 0),
    ]
    assert found.rest == []
    assert found.updates[3].virsh("my lan", "--live") == (
        "virsh net-update --live 'my lan' add-last dns-host "
        "\"<host ip='192.168.50.9'><hostname>printer</hostname></host>\""
    )


@pytest.mark.parametrize(
    ("defined", "rest"),
    [
        (xml(forward="<forward mode='route'/>"), ["forward"]),
        (xml(more="<mtu size='1400'/>"), ["mtu"]),
        (xml(more_ips=SIX), ["ip"]),
        (xml().replace("192.168.50.1'", "192.168.50.2'"), ["ip"]),
        (xml(more="<dns><forwarder addr='192.0.2.1'/></dns>"), ["dns"]),
        (xml(RANGE + "<bootp file='x'/>"), ["ip"]),
        (xml().replace("<network ", "<network ipv6='yes' "), ["network"]),
        (xml(forward="<forward mode='nat'><nat><port start='1024' end='2000'/></nat></forward>"), ["forward"]),
    ],
)
def test_what_takes_a_restart(defined: str, rest: list[str]) -> None:
    assert difference(xml(), defined).rest == rest


@pytest.mark.parametrize("name", ["printer", "it's", 'say "x"', "$(reboot)", "`x`", "a\\b", "a!b"])
def test_a_command_that_is_pasted_does_nothing_else(name: str) -> None:
    """Names in XML are anybody's."""
    xml_text = f"<hostname>{name}</hostname>"
    command = Update("add-last", "dns-host", xml_text).virsh("lan")
    assert shlex.split(command) == ["virsh", "net-update", "lan", "add-last", "dns-host", xml_text]
    word = command.removeprefix("virsh net-update lan add-last dns-host ")
    assert word[0] == "'" or not set("$`!\\") & set(word)


def test_a_network_whose_name_looks_like_an_option_is_one_word() -> None:
    command = Update("add-last", "ip-dhcp-host", "<host/>", 0).virsh("-my lan", "--live", "--config")
    options, operands = command.split(" -- ")
    assert options == "virsh net-update --live --config --parent-index 0"
    assert operands == "'-my lan' add-last ip-dhcp-host \"<host/>\""


def test_a_command_that_is_shown_does_not_control_the_terminal() -> None:
    assert Update("add-last", "dns-host", "<hostname>a\x1b[2J</hostname>").virsh("lan").isprintable()


# Reservations


def chosen(text: str, nic: Client, *leases: Lease) -> str:
    (pool, *_) = pools(text)
    return address_text(pool.family, choose(pool, nic, leases))


def test_the_address_that_a_guest_has_is_kept() -> None:
    lease = Lease("192.168.50.150", NIC.mac, "")
    assert chosen(xml(), NIC, lease) == "192.168.50.150"
    assert chosen(xml(RANGE + WEB.replace("20'", "150'")), OTHER, lease._replace(mac=OTHER.mac)) == "192.168.50.2"


def test_a_free_address_is_one_that_nobody_gets() -> None:
    assert chosen(xml(), NIC) == "192.168.50.2"
    assert chosen(xml(RANGE + WEB.replace("20'", "2'")), OTHER) == "192.168.50.3"
    assert chosen(xml(), NIC, Lease("192.168.50.2", OTHER.mac, "")) == "192.168.50.3"
    everything = "<range start='192.168.50.2' end='192.168.50.254'/>"
    assert chosen(xml(everything), NIC, Lease("192.168.50.254", OTHER.mac, "")) == "192.168.50.253"
    small = "<network><ip address='192.0.2.1' prefix='30'><dhcp><host mac='x' ip='192.0.2.2'/></dhcp></ip></network>"
    with pytest.raises(NethookError, match=r"no address in 192\.0\.2\.0/30 is free"):
        chosen(small, NIC)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("192.168.50.1", "is the host's own address"),
        ("192.168.50.0", "is no address for a guest"),
        ("192.168.50.255", "is no address for a guest"),
        ("192.168.50.20", "is reserved already: <host mac='52:54:00:00:00:01'"),
        ("192.168.50.150", "is leased to 52:54:00:00:00:09 laptop now"),
    ],
)
def test_addresses_that_are_refused(address: str, why: str) -> None:
    pool = pool_for("lan", address, pools(xml(RANGE + WEB)))
    with pytest.raises(NethookError, match=why):
        refuse(pool, parse_address(address)[1], OTHER, [Lease("192.168.50.150", "52:54:00:00:00:09", "laptop")])


def test_an_address_of_no_subnet_with_dhcp() -> None:
    with pytest.raises(
        NethookError, match=r"in a subnet of network lan with DHCP; choose an address in 192\.168\.50\.0/24"
    ):
        pool_for("lan", "10.0.0.1", pools(xml()))
    with pytest.raises(NethookError, match="network lan has no DHCP"):
        pool_for("lan", "", pools(xml("")))


NAMED = "<host mac='52:54:00:00:00:01' name='www' ip='192.168.50.20'/>"


@pytest.mark.parametrize(
    ("text", "address", "update"),
    [
        (xml(), "192.168.50.20", ("add-last", WEB, -1)),
        (xml(RANGE + WEB), "192.168.50.21", ("modify", WEB.replace(".20", ".21"), -1)),
        (xml(RANGE + NAMED), "192.168.50.21", ("modify", NAMED.replace(".20", ".21"), -1)),
        (xml(more_ips=SIX), "fd00::20", ("add-last", "<host name='web1' ip='fd00::20'/>", 1)),
    ],
)
def test_the_update(text: str, address: str, update: tuple[str, str, int]) -> None:
    pool = pool_for("lan", address, pools(text))
    number = parse_address(address)[1]
    refuse(pool, number, NIC, [])
    command, made, parent = update
    assert update_for(pool, NIC, number) == Update(command, "ip-dhcp-host", made, parent)


def test_what_is_reserved_already_needs_no_update() -> None:
    (pool,) = pools(xml(RANGE + WEB))
    assert update_for(pool, NIC, parse_address("192.168.50.20")[1]) is None


def test_a_guest_whose_name_is_no_host_name_has_no_ipv6_reservation() -> None:
    pool = pool_for("lan", "fd00::20", pools(xml(more_ips=SIX)))
    with pytest.raises(NethookError, match="an IPv6 reservation has a host name"):
        update_for(pool, Client("build box", NIC.mac), parse_address("fd00::20")[1])
