"""What is remembered of what libvirt has told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.libvirt import record
from nethook.libvirt.network import Network, Ports
from nethook.scope import Scope, scope_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def network(name: str, bridge: str, mode: str = "nat", guests: dict[str, str] | None = None) -> Network:
    return Network(name, bridge, mode, Ports(guests or {}, all_known=True))


def put_into(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NETWORKS_FILE", "PORTS_FILE"):
        monkeypatch.setattr(record, name, str(folder / name))


def test_names_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_into(tmp_path, monkeypatch)
    assert record.ports() == {}
    ports = {
        "my network": {"52:54:00:00:00:01": "web 1", "52:54:00:00:00:02": "ž\tü\r\n客 "},
        "other": {"52:54:00:00:00:01": "x" * 200},
    }
    networks = [network(name, f"virbr{number}", guests=guests) for number, (name, guests) in enumerate(ports.items())]
    assert record.update(networks, Scope()) == []
    assert record.ports() == ports
    assert record.update([], Scope()) == []
    assert record.ports() == {}


def test_what_is_outside_the_scope_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_into(tmp_path, monkeypatch)
    there, other = network("there", "lo", "", {"52:54:00:00:00:01": "web"}), network("other", "virbr9")
    record.update([there, other], Scope())
    scope = scope_of([other], [])
    record.update([], scope)
    (found,) = record.networks_outside(scope)
    assert (found.bridge, found.is_isolated) == ("lo", True)
    assert record.networks_outside(Scope()) == []
    assert record.ports() == {"there": {"52:54:00:00:00:01": "web"}}


def test_a_record_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_into(tmp_path / "missing", monkeypatch)
    (failure,) = record.update([network("there", "lo")], Scope())
    assert failure.startswith("cannot record which networks are up in ")
