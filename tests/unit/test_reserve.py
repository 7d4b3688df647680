"""nethook reserve, where libvirt refuses one of two changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.cli import main
from nethook.commands import reserve
from nethook.errors import NethookError
from nethook.libvirt import control
from nethook.libvirt.control import Definition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.libvirt.network_update import Update

XML = (
    "<network><name>lan</name><bridge name='br'/><ip address='192.168.50.1' prefix='24'><dhcp>"
    "<range start='192.168.50.100' end='192.168.50.200'/>{}</dhcp></ip></network>"
)
MAC = "52:54:00:00:00:01"
DEFINED = XML.format(f"<host mac='{MAC}' ip='192.168.50.20'/>")


@pytest.mark.parametrize("refused", [1, 2])
def test_libvirt_refuses_one_change(
    refused: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The network has no reservation as it runs, and another one as it is defined."""
    asked: list[Sequence[str]] = []

    def update(_: str, __: Update, options: Sequence[str]) -> None:
        asked.append(options)
        if len(asked) == refused:
            raise NethookError("libvirt cannot change network lan: no")

    monkeypatch.setattr(reserve, "require_root", lambda _: None)
    monkeypatch.setattr(control, "definition", lambda _: Definition("lan", XML.format(""), DEFINED))
    monkeypatch.setattr(control, "macs", lambda *_: [MAC])
    monkeypatch.setattr(control, "leases", lambda _: [])
    monkeypatch.setattr(control, "update", update)
    status = main(["reserve", "web1", "lan", "192.168.50.30", "--yes"])
    err = capsys.readouterr().err
    assert err.startswith("nethook: libvirt cannot change network lan: no")
    if refused == 1:
        assert (status, asked) == (2, [["--live"]])
    else:
        assert (status, asked) == (1, [["--live"], ["--config"]])
        what = "network lan was changed as it runs, but not its definition: virsh net-update --config lan modify "
        assert what in err
