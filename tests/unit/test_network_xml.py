"""The XML of libvirt's networks."""

from __future__ import annotations

import pytest

from nethook.errors import ReadError
from nethook.libvirt import XML, Network, read_network, subnet_of
from nethook.libvirt.live import nics_of
from nethook.placement import place
from nethook.placement.scope import Scope
from nethook.status.line_states import states_without_root
from tests.unit.lines import configuration


@pytest.mark.parametrize(
    ("attributes", "subnet"),
    [
        ({"address": "192.168.50.1", "netmask": "255.255.255.0"}, "192.168.50.0/24"),
        ({"address": "203.0.113.17", "prefix": "29"}, "203.0.113.16/29"),
        ({"address": "203.0.113.17", "prefix": "32"}, "203.0.113.17"),
        ({"address": "2001:db8::1", "prefix": "64", "family": "ipv6"}, "2001:db8::/64"),
        ({"address": "2001:db8::1", "family": "ipv6"}, "2001:db8::/64"),
        ({"address": "10.1.2.3"}, "10.0.0.0/8"),
        ({"address": "172.16.2.3"}, "172.16.0.0/16"),
        ({"address": "192.168.50.1"}, "192.168.50.0/24"),
    ],
)
def testsubnet_ofs(attributes: dict[str, str], subnet: str) -> None:
    assert subnet_of(attributes).text == subnet


def test_a_network_is_read_by_exact_place() -> None:
    xml = """<network connections='1'><name>a &amp; b</name>
    <metadata><x xmlns='urn:x'><bridge name='decoy'/><name>decoy</name><ip address='192.0.2.1'/></x></metadata>
    <forward mode='route'/><bridge name='virbr7'/><ip address='192.0.2.9' prefix='29'><dhcp/></ip></network>"""
    read = read_network(XML(xml.encode(), "the XML"), "the XML")
    assert (read.network.name, read.network.bridge, read.network.forward_mode) == ("a & b", "virbr7", "route")
    assert read.ips == [{"address": "192.0.2.9", "prefix": "29"}]


@pytest.mark.parametrize("xml", ["", "<network>", "<domain/>", "<hookData><network/></hookData>"])
def test_what_is_no_network_is_an_error(xml: str) -> None:
    with pytest.raises(ReadError, match=r"the XML (is broken|contains no <network>)"):
        read_network(XML(xml.encode(), "the XML"), "the XML")


def test_the_nics_of_a_guest_are_those_on_networks() -> None:
    xml = """<domain><name>a</name><devices>
    <interface type='network'><mac address='52:54:00:AA:00:01'/><source network='public' portid='x'/></interface>
    <interface type='bridge'><mac address='52:54:00:aa:00:02'/><source bridge='br0'/></interface>
    <interface type='user'><mac address='52:54:00:aa:00:03'/></interface>
    <interface type='network'><mac address='52:54:00:aa:00:04'/><source network='inner'/></interface>
    </devices></domain>"""
    assert nics_of(xml) == [("public", "52:54:00:aa:00:01"), ("inner", "52:54:00:aa:00:04")]


NETWORKS = {
    "<bridge name='b'/>": ("b", "", ""),
    "<forward mode='none'/><bridge name='b'/>": ("b", "", ""),
    "<forward mode='nat'/><bridge stp='on' delay='0'/>": ("", "nat", ""),
    "<forward mode='nat'/><bridge name='b' macTableManager='libvirt'/>": ("b", "nat", ""),
    "<forward mode='route'/><bridge name='b'/><port isolated='yes'/>": ("b", "route", ""),
    "<forward mode='bridge'/><bridge name='br0'/>": ("br0", "bridge", ""),
    "<forward mode='bridge'><interface dev='eno1'/></forward>": (
        "",
        "bridge",
        "network n has no bridge (forward mode bridge)",
    ),
    "<forward dev='eno1' mode='private'><interface dev='eno1'/></forward>": (
        "",
        "private",
        "network n has no bridge (forward mode private)",
    ),
    "<forward mode='hostdev' managed='yes'><pf dev='eno2'/></forward>": (
        "",
        "hostdev",
        "network n has no bridge (forward mode hostdev)",
    ),
    **{
        f"<forward mode='bridge'/><bridge name='ovs0'/>{port}": (
            "",
            "openvswitch",
            "network n has a bridge of Open vSwitch, which nftables does not see",
        )
        for port in (
            "<virtualport type='openvswitch'/><portgroup name='a' default='yes'><vlan><tag id='7'/></vlan></portgroup>",
            "<portgroup name='a'><virtualport type='openvswitch'/></portgroup>",
        )
    },
}


@pytest.mark.parametrize("inside", NETWORKS)
def test_every_sort_of_network_is_right_or_refused(inside: str) -> None:
    xml = f"<network><name>n</name>{inside}</network>"
    network = read_network(XML(xml.encode(), "the XML"), "the XML").network
    assert (network.bridge, network.forward_mode, network.why_unroutable) == NETWORKS[inside]


def test_a_network_whose_bridge_has_no_name_yet_is_waited_for() -> None:
    files = configuration("203.0.113.10 n")
    placements = place(files.routed_ips, files, [], Scope(down=[Network("n", "", "nat")])).lines
    (state,) = states_without_root(placements, ())
    assert (state.state, state.reason) == ("waiting", "network n is not running")
