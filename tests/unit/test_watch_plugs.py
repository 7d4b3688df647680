"""Which taps in no bridge the service plugs in, and which it only names."""

from __future__ import annotations

import pytest

from nethook.host.fake import FakeHost
from nethook.host.links import BRIDGE
from nethook.libvirt import Network, Port, Ports
from nethook.libvirt.details import Details, GuestDetails, Tap
from nethook.libvirt.live import LiveNetwork
from nethook.watch import plugs

NIC, TAP_MAC = "52:54:00:00:00:01", "fe:54:00:00:00:01"
TAP = Tap("vnet0", "public", "virbr1", NIC, is_linked=True, is_isolated=False, is_plain=True)
RUNNING = GuestDetails("", is_libvirts_pause=False, starts_at_boot=True, taps=[TAP])
NAMED = ["vnet0 of guest web1 is in no bridge; nethook restart-network public plugs it into virbr1"]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host with a tap in no bridge, and with devices that only look like one."""
    host = FakeHost()
    host.kernel.add_link("virbr1", BRIDGE)
    host.kernel.add_link("vnet0", "tun", mac=TAP_MAC)
    host.kernel.add_link("tun0", "tun", mac="52:54:00:00:00:09")
    host.kernel.add_link("veth0", "veth", mac="fe:54:00:00:00:09")
    monkeypatch.setattr(plugs, "SETTLED_SECONDS", 0)
    return host


def plugged(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, told: Details, *, up: bool = True, port: str = NIC
) -> plugs.Loose:
    """What becomes of it, with what libvirt tells of guests and networks."""
    network = Network("public", "virbr1", "nat", Ports([Port("uuid", port, "web1")], all_known=True))
    monkeypatch.setattr(plugs, "details", lambda _: told)
    return plugs.plug_in({"public": LiveNetwork(network, is_active=up)}, host)


def bridge_of(host: FakeHost) -> int:
    """The number of the bridge of the tap."""
    return host.kernel.links["vnet0"].master


def test_a_tap_that_fell_out_is_plugged_in(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    found = plugged(host, monkeypatch, Details({"web1": RUNNING}))
    assert (list(map(str, found.plugged)), found.left) == (["+ tap vnet0 of guest web1 into virbr1"], [])
    assert bridge_of(host) == host.number_of("virbr1")


def test_it_is_named_where_only_libvirt_can_plug_it_in(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    particular = RUNNING._replace(taps=[TAP._replace(is_plain=False)])
    for told, port in (
        (Details({"web1": RUNNING}), "52:54:00:00:00:77"),
        (Details({"web1": particular}), NIC),
        (Details({"web1": RUNNING}, particular=frozenset({"public"})), NIC),
    ):
        found = plugged(host, monkeypatch, told, port=port)
        assert (found.plugged, found.left, bridge_of(host)) == ([], NAMED, 0)


def test_what_libvirt_still_works_on_is_left_alone(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that starts, one of another network, and one whose network is off."""
    starting = RUNNING._replace(is_libvirts_pause=True)
    other = RUNNING._replace(taps=[TAP._replace(network="other")])
    for guest, up in ((starting, True), (other, True), (RUNNING, False)):
        found = plugged(host, monkeypatch, Details({"web1": guest}), up=up)
        assert (found.plugged, found.left, bridge_of(host)) == ([], [], 0)


def test_a_tap_that_libvirt_moves_while_it_is_asked_stays_there(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by `virsh update-device`: its answer has the bridge of before."""
    host.kernel.add_link("virbr2", BRIDGE)

    def ask(_: float) -> Details:
        host.kernel.links["vnet0"].master = host.number_of("virbr2")
        return Details({"web1": RUNNING})

    network = Network("public", "virbr1", "nat", Ports([Port("uuid", NIC, "web1")], all_known=True))
    monkeypatch.setattr(plugs, "details", ask)
    found = plugs.plug_in({"public": LiveNetwork(network, is_active=True)}, host)
    assert (found.plugged, found.left, bridge_of(host)) == ([], [], host.number_of("virbr2"))


def test_libvirt_is_asked_only_if_a_tap_is_in_no_bridge(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_: float) -> Details:
        raise AssertionError("libvirt was asked")

    monkeypatch.setattr(plugs, "details", ask)
    host.kernel.links["vnet0"].master = host.number_of("virbr1")
    assert plugs.plug_in({}, host).plugged == []


def test_a_tap_that_cannot_be_plugged_in_is_told(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.kernel.delete_link("virbr1")
    found = plugged(host, monkeypatch, Details({"web1": RUNNING}))
    assert found.plugged == []
    assert "failed" in found.left[0]
