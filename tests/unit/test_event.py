"""What libvirt gives to the hook → event."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.errors import ReadError
from nethook.install.package import PACKAGE
from nethook.libvirt import Port
from nethook.libvirt.event import DOWN, UP, Event, parse_event

if TYPE_CHECKING:
    from collections.abc import Collection

NAT = """<hookData>
  <network>
    <name>public</name>
    <uuid>38d2bd5f-2a5d-4e4e-9b5c-0e1a2d0e0e0e</uuid>
    <metadata><x:note xmlns:x='urn:x'><bridge name='evil0'/><forward mode='open'/></x:note></metadata>
    <forward mode='nat'><nat><port start='1024' end='65535'/></nat></forward>
    <bridge name='virbr1' stp='on' delay='0'/>
    <mac address='52:54:00:aa:bb:cc'/>
    <ip address='192.168.100.1' netmask='255.255.255.0'>
      <dhcp><range start='192.168.100.2' end='192.168.100.254'/></dhcp>
    </ip>
    <ip family='ipv6' address='2001:db8:1::1' prefix='64'/>
  </network>
  <networkport>
    <uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
    <owner><name>web 1</name><uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner>
    <mac address='52:54:00:7b:35:93'/>
    <plug type='bridge' bridge='other0'/>
  </networkport>
</hookData>"""

MAC = "52:54:00:7b:35:93"
DB = Port("f39b9b48-5a36-4a36-a7a4-2b0e3aa8a0a1", "52:54:00:00:00:01", "db")


def parse(xml: str, operation: str = "started", name: str = "public") -> Event:
    event = parse_event([name, operation, "begin", "-"], xml.encode())
    assert event is not None
    return event


def network_xml(inside: str) -> str:
    return f"<hookData><network><name>n</name>{inside}</network></hookData>"


def test_name_bridge_and_mode_are_those_of_the_network_itself() -> None:
    network = parse(NAT).network
    assert (network.name, network.bridge, network.forward_mode) == ("public", "virbr1", "nat")


@pytest.mark.parametrize(
    ("inside", "mode", "own", "isolated"),
    [
        ("<bridge name='b'/>", "", True, True),
        ("<forward/><bridge name='b'/>", "nat", True, False),
        ("<forward mode='nat'/><bridge name='b'/>", "nat", True, False),
        ("<forward dev='eth0' mode='route'/><bridge name='b'/>", "route", True, False),
        ("<forward mode='open'/><bridge name='b'/>", "open", True, False),
        ("<forward mode='bridge'/><bridge name='b'/>", "bridge", False, False),
    ],
)
def test_forward_modes(inside: str, mode: str, own: bool, isolated: bool) -> None:
    network = parse(network_xml(inside)).network
    assert (network.bridge, network.forward_mode) == ("b", mode)
    assert (network.is_libvirts_own, network.is_isolated) == (own, isolated)


@pytest.mark.parametrize(
    "inside",
    [
        "<forward mode='bridge'><interface dev='eth0'/></forward>",
        "<forward mode='hostdev' managed='yes'><pf dev='eth3'/></forward>",
    ],
)
def test_a_network_without_a_bridge(inside: str) -> None:
    assert parse(network_xml(inside)).network.bridge == ""


def test_names_may_hold_anything() -> None:
    name = "a &lt;b&gt; &amp; 'c' \"d\" žluťoučký"
    xml = f"<hookData><network><name>{name}</name><bridge name='b'/></network></hookData>"
    assert parse(xml).network.name == "a <b> & 'c' \"d\" žluťoučký"


@pytest.mark.parametrize("operation", sorted(UP | DOWN))
def test_after_which_events_the_network_is_up(operation: str) -> None:
    assert parse(NAT, operation).is_up == (operation not in {"start", "stopped"})


def test_other_operations_do_not_matter() -> None:
    assert parse_event(["public", "reconnect", "begin", "-"], b"") is None


@pytest.mark.parametrize("xml", ["", "<hookData>", "<hookData/>", "<network><name>n</name></network>", "\0", "{}"])
def test_broken_xml_is_said_with_event_and_network(xml: str) -> None:
    with pytest.raises(ReadError, match="started of network public"):
        parse(xml)


@given(st.binary())
def test_no_input_raises_anything_else(xml: bytes) -> None:
    try:
        parse_event(["public", "started", "begin", "-"], xml)
    except ReadError as error:
        assert "public" in str(error)  # noqa: PT017


def after(*operations: tuple[str, str], mac: str = MAC, uuid: str = "<uuid>{}</uuid>") -> set[tuple[str, str, str]]:
    """UUID, MAC and guest of each port after these events of ports with these names, if DB was there before."""
    known: Collection[Port] = [DB]
    for operation, name in operations:
        xml = NAT.replace("<uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>", uuid.format(name)).replace(MAC, mac)
        known = parse(xml, operation).ports(known).known
    return {(port.uuid, port.mac, port.guest) for port in known} - {(DB.uuid, DB.mac, DB.guest)}


@pytest.mark.parametrize(
    ("operations", "there"),
    [
        ([("port-created", "a")], {"a"}),
        ([("port-created", "a"), ("port-created", "a")], {"a"}),
        ([("port-created", "a"), ("started", "a"), ("updated", "b")], {"a"}),
        ([("port-created", "a"), ("port-deleted", "a")], set()),
        ([("port-created", "a"), ("port-created", "b"), ("port-deleted", "b")], {"a"}),
        ([("port-created", "a"), ("port-created", "b"), ("port-deleted", "a")], {"b"}),
        ([("port-created", "a"), ("port-created", "b"), ("port-deleted", "a"), ("port-deleted", "b")], set()),
        ([("port-deleted", "a"), ("port-created", "b")], {"b"}),
        ([("plugged", "a"), ("plugged", "b"), ("unplugged", "b")], {"a"}),
    ],
)
def test_which_ports_there_are_after_events(operations: list[tuple[str, str]], there: set[str]) -> None:
    assert after(*operations) == {(name, MAC, "web 1") for name in there}


def test_without_a_uuid_a_port_is_known_by_its_mac() -> None:
    created, deleted = ("port-created", ""), ("port-deleted", "")
    assert after(created, mac=MAC.upper(), uuid="") == {(MAC, MAC, "web 1")}
    assert after(created, deleted, uuid="") == set()


def test_who_has_gone() -> None:
    gone = parse(NAT, "port-deleted").ports([DB]).gone
    assert gone
    assert (gone.guest, gone.mac) == ("web 1", MAC)
    for xml, operation in ((NAT, "port-created"), (NAT.partition("<networkport>")[0] + "</hookData>", "port-deleted")):
        ports = parse(xml, operation).ports([DB])
        assert DB in ports.known
        assert ports.gone is None


@pytest.mark.parametrize("port", ["", "<owner><name>a</name></owner>", "<mac address='52:54:00:7b:35:93'/>"])
def test_a_port_that_is_no_guests_does_not_matter(port: str) -> None:
    xml = network_xml("<bridge name='b'/>").replace("</hookData>", f"<networkport>{port}</networkport></hookData>")
    assert parse(xml, "port-created").port is None


def test_the_script_lets_the_operations_through_that_matter() -> None:
    script = (PACKAGE / "lv-setup-routed-ips").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^case \$2 in\n +(.+)\) ;;\n +\*\) exit 0 ;;$", script, re.MULTILINE)
    assert set(listed.split(" | ")) == UP | DOWN
