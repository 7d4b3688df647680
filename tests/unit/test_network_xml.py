"""The XML of libvirt's networks."""

from __future__ import annotations

import pytest

from nethook.errors import ReadError
from nethook.libvirt.live import _nics, _subnet
from nethook.libvirt.network_xml import read_network
from nethook.libvirt.place import XML


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
def test_subnets(attributes: dict[str, str], subnet: str) -> None:
    assert _subnet(attributes).text == subnet


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
    assert _nics(xml) == [("public", "52:54:00:aa:00:01"), ("inner", "52:54:00:aa:00:04")]
