"""What is recorded of what libvirt has told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.host import Host, files, lock
from nethook.libvirt import Network, Port, Ports, record
from nethook.libvirt.event import Event
from nethook.prefix import parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HOST = Host(1)
MAC, OTHER_MAC = "52:54:00:00:00:01", "52:54:00:00:00:02"
WEB, DB = Port("a", MAC, "web 1"), Port("c", OTHER_MAC, "ž\tü\r\n客 ")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lock, "FOLDER", str(tmp_path / "run"))
    monkeypatch.setattr(lock, "RECORD_LOCK", str(tmp_path / "run/told.lock"))
    monkeypatch.setattr(record, "FILE", str(tmp_path / "run/told"))
    return tmp_path / "run"


def network(name: str, mode: str = "nat", ports: Iterable[Port] = ()) -> Network:
    return Network(name, f"bridge of {name}", mode, Ports([*ports], all_known=True))


def tell(operation: str, name: str = "my network", port: Port | None = None, mode: str = "nat") -> Network:
    """The network after this event."""
    event = Event(operation, network(name, mode=mode), port)
    assert record.tell(event, HOST)[1] == ""
    return event.network


def ports(name: str = "my network") -> list[tuple[str, str, str]]:
    return [(port.uuid, port.mac, port.guest) for port in record.read(HOST).up[name].ports.known]


def test_a_network_is_known_from_its_first_event_on() -> None:
    assert not record.read(HOST).knows("my network")
    tell("start", mode="")
    assert record.read(HOST).up["my network"].is_isolated
    tell("stopped")
    assert list(record.read(HOST).down) == ["my network"]
    assert not record.read(HOST).up
    assert record.read(HOST).knows("my network")


def test_ports_are_known_from_their_events() -> None:
    tell("started")
    assert [port.uuid for port in tell("port-created", port=WEB).ports.known] == ["a"]
    tell("port-created", port=DB)
    tell("updated")
    assert ports() == [("a", MAC, "web 1"), ("c", OTHER_MAC, "ž\tü\r\n客 ")]
    after = tell("port-deleted", port=WEB).ports
    assert (after.gone, [port.uuid for port in after.known]) == (WEB, ["c"])
    tell("start")  # without the guests that were plugged in before
    assert ports() == []


def test_what_others_have_told_stays() -> None:
    tell("port-created", "my network", WEB)
    tell("started", "other")
    tell("stopped", "third")
    assert list(record.read(HOST).up) == ["my network", "other"]
    assert ports() == [("a", MAC, "web 1")]


@pytest.mark.parametrize(
    ("first", "second", "up"),
    [
        (("virbr1", ""), ("virbr1", "nat"), ["second"]),
        (("virbr1", "nat"), ("virbr2", "nat"), ["first", "second"]),
        (("br0", "bridge"), ("br0", "bridge"), ["first", "second"]),
        (("br0", "bridge"), ("br0", "nat"), ["first", "second"]),
        (("", "nat"), ("", "nat"), ["first", "second"]),
    ],
)
def test_one_network_at_a_time_has_a_bridge_of_libvirt(
    first: tuple[str, str], second: tuple[str, str], up: list[str]
) -> None:
    """Several networks may have one of the host's own bridges."""
    for name, (bridge, mode) in (("first", first), ("second", second)):
        record.tell(Event("start", Network(name, bridge, mode), None), HOST)
    told = record.read(HOST)
    assert list(told.up) == up
    assert told.knows("first")


def test_prefixes_and_any_names_come_back_as_they_were() -> None:
    made = Network(
        "n\n:ü ",
        'br"*\\',
        "route",
        subnets=[parse_prefix("192.0.2.0/24"), parse_prefix("2001:db8::/64")],
        routes=[parse_prefix("203.0.113.10")],
    )
    record.tell(Event("started", made, None), HOST)
    found = record.read(HOST).up["n\n:ü "]
    assert (found.bridge, found.forward_mode, found.subnets, found.routes) == (
        made.bridge,
        "route",
        made.subnets,
        made.routes,
    )


def test_nothing_is_written_when_nothing_is_new(folder: Path) -> None:
    tell("port-created", port=WEB)
    written = (folder / "told").stat().st_ino
    tell("port-created", port=WEB)
    assert (folder / "told").stat().st_ino == written
    tell("port-created", port=DB)
    assert (folder / "told").stat().st_ino != written


@pytest.mark.parametrize("damage", ["", "up", "up\0a\0virbr1", "\0" * 100, "lorem ipsum\nup\0x\0y\0z\0q\0w\0e\0"])
def test_what_is_broken_is_left_out(damage: str) -> None:
    tell("started")
    whole = files.recorded(record.FILE)
    files.record(record.FILE, whole + damage)
    assert list(filter(None, record.read(HOST).up)) == ["my network"]


@pytest.mark.parametrize("obstacle", ["told.new", "told.lock"])
def test_a_record_that_cannot_be_written_is_read_all_the_same(folder: Path, obstacle: str) -> None:
    tell("started", "isolated", mode="")
    (folder / "told.lock").unlink()
    (folder / obstacle).mkdir(parents=True)
    told, failure = record.tell(Event("port-created", network("there"), WEB), HOST)
    assert failure
    assert list(told.up) == ["isolated", "there"]
    assert told.up["isolated"].is_isolated


@pytest.mark.parametrize("obstacle", ["told.new", "told.lock", "told"])
def test_a_record_that_cannot_be_kept_is_said(folder: Path, obstacle: str) -> None:
    (folder / obstacle).mkdir(parents=True)
    event = Event("port-created", network("there"), WEB)
    told, failure = record.tell(event, HOST)
    assert failure.startswith(f"cannot record this event in {folder}/told")
    assert list(told.up) == ["there"]
    assert list(event.network.ports.known) == [WEB]


def test_apply_learns_all_networks_and_the_bridges_of_the_host() -> None:
    tell("started", "gone")
    with HOST.version(record.FILE) as asked:
        assert record.learn([(network("a", ports=[WEB]), True), (network("b"), False)], ["br0"], asked, HOST)
    told = record.read(HOST)
    assert list(told.up) == ["a", "/br0"]
    assert list(told.down) == ["b"]
    assert not told.up["/br0"].is_libvirts_own
    assert ports("a") == [("a", MAC, "web 1")]


@pytest.mark.parametrize("before", [[], ["stopped"]])
@pytest.mark.parametrize("meanwhile", [["start"], ["start", "stopped"], ["start", "started", "stopped", "start"]])
def test_what_apply_has_heard_before_an_event_is_out_of_date(before: list[str], meanwhile: list[str]) -> None:
    """Also if the record says the same again, and its new file has the number of an old one."""
    for operation in before:
        tell(operation)
    with HOST.version(record.FILE) as asked:
        for operation in meanwhile:
            tell(operation)
        written = files.recorded(record.FILE)
        assert not record.learn([(network("another"), True)], [], asked, HOST)
    assert files.recorded(record.FILE) == written


def test_an_event_that_changes_nothing_makes_no_answer_out_of_date() -> None:
    tell("started")
    with HOST.version(record.FILE) as asked:
        tell("updated")
        assert record.learn([(network("a"), True)], [], asked, HOST)
        assert not record.learn([(network("b"), True)], [], asked, HOST)
    assert list(record.read(HOST).up) == ["a"]
