"""What is remembered of what libvirt has told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.libvirt import record

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_names_may_hold_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "PORTS_FILE", str(tmp_path / "ports"))
    assert record.read_ports() == {}
    ports = {
        "my network": {"52:54:00:00:00:01": "web 1", "52:54:00:00:00:02": "ž\tü\r\n客 "},
        "other": {"52:54:00:00:00:01": "x" * 200},
    }
    record.write_ports(ports)
    assert record.read_ports() == ports
    record.write_ports({})
    assert record.read_ports() == {}


def test_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "FILE", str(tmp_path / "networks"))
    modes = {"virbr0": "nat", "virbr1": ""}
    record.write(modes)
    assert record.read() == modes
