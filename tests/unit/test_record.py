"""What is remembered of what libvirt has told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.libvirt import record
from nethook.libvirt.network import Network, Port, Ports
from nethook.scope import Scope, scope_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest


MAC, OTHER_MAC = "52:54:00:00:00:01", "52:54:00:00:00:02"


def network(name: str, bridge: str, mode: str = "nat", ports: Iterable[tuple[str, str, str]] = ()) -> Network:
    return Network(name, bridge, mode, Ports([Port(*port) for port in ports], all_known=True))


def recorded() -> dict[str, list[tuple[str, str, str]]]:
    """UUID, MAC and guest of each port, by network."""
    return {name: [(port.uuid, port.mac, port.guest) for port in ports] for name, ports in record.ports().items()}


def put_into(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NETWORKS_FILE", "PORTS_FILE"):
        monkeypatch.setattr(record, name, str(folder / name))


def test_names_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_into(tmp_path, monkeypatch)
    assert record.ports() == {}
    ports = {
        "my network": [("a", MAC, "web 1"), ("b", MAC, "web 1"), ("c", OTHER_MAC, "ž\tü\r\n客 ")],
        "other": [("d", MAC, "x" * 200)],
    }
    networks = [network(name, f"virbr{number}", ports=each) for number, (name, each) in enumerate(ports.items())]
    assert record.update(networks, Scope()) == []
    assert recorded() == ports
    assert record.update([], Scope()) == []
    assert record.ports() == {}


def test_what_is_outside_the_scope_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_into(tmp_path, monkeypatch)
    there, other = network("there", "lo", "", [("a", MAC, "web")]), network("other", "virbr9")
    record.update([there, other], Scope())
    scope = scope_of([other], [])
    record.update([], scope)
    (found,) = record.networks_outside(scope)
    assert (found.bridge, found.is_isolated) == ("lo", True)
    assert record.networks_outside(Scope()) == []
    assert recorded() == {"there": [("a", MAC, "web")]}


def test_the_same_ports_in_another_order_are_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_into(tmp_path, monkeypatch)
    ports = [("a", MAC, "web"), ("b", OTHER_MAC, "db")]
    record.update([network("there", "lo", "", ports)], Scope())
    written = (tmp_path / "PORTS_FILE").stat().st_ino
    record.update([network("there", "lo", "", reversed(ports))], Scope())
    assert (tmp_path / "PORTS_FILE").stat().st_ino == written
    record.update([network("there", "lo", "", ports[1:])], Scope())
    assert recorded() == {"there": ports[1:]}


def test_a_record_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_into(tmp_path / "missing", monkeypatch)
    (failure,) = record.update([network("there", "lo")], Scope())
    assert failure.startswith("cannot record which networks are up in ")
