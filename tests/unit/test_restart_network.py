"""What ``nethook restart-network`` does when a step fails, on a fake host and a fake libvirt."""

from __future__ import annotations

import threading
from argparse import Namespace
from typing import TYPE_CHECKING

import pytest

from nethook.commands import restart_network
from nethook.errors import NethookError
from nethook.host.fake import FakeHost
from nethook.host.links import BRIDGE
from nethook.install import systemd
from nethook.libvirt import control
from nethook.libvirt.control import Definition, PluggedNic

if TYPE_CHECKING:
    from collections.abc import Callable

    from nethook.host.process import Call, Result

    Run = Callable[..., tuple[int, str, str]]

XML = "<network><name>lan</name><forward mode='{}'/><bridge name='virbr1'/></network>"
NAT, ROUTED = XML.format("nat"), XML.format("route")
WEB = PluggedNic("web1", "lan", "52:54:00:00:00:01", "vnet1")


class Libvirt:
    """A libvirt with one network and one guest on it, and with a daemon; ``did`` is what was asked of them."""

    def __init__(self, host: FakeHost) -> None:
        self.host = host
        self.did: list[str] = []
        self.starts = self.plugs = True
        self.hangs = threading.Event()
        self.hangs.set()
        self.definition = Definition("lan", NAT, ROUTED)
        host.kernel.add_link("virbr1", BRIDGE)
        host.kernel.add_link("vnet1", "tun", master="virbr1")

    def stop(self, name: str) -> None:
        self.did.append("stop")
        self.host.kernel.delete_link("virbr1")
        self.definition = Definition(name, "", ROUTED)

    def start(self, name: str) -> None:
        self.did.append("start")
        if not self.starts:
            raise NethookError("libvirt cannot start network lan: no")
        self.start_as(name, ROUTED)

    def start_as(self, name: str, xml: str) -> None:
        self.did.append(f"start {'as before' if xml == NAT else 'as defined'}")
        self.host.kernel.add_link("virbr1", BRIDGE)
        self.definition = Definition(name, xml, ROUTED)

    def restart(self, *_: object) -> Namespace:
        def run() -> None:
            self.did.append("restart daemon")
            self.hangs.wait()
            if not self.plugs:
                raise NethookError("libvirtd.service failed")
            self.host.kernel.links["vnet1"].master = self.host.number_of("virbr1")

        return Namespace(run=run)


@pytest.fixture
def libvirt(monkeypatch: pytest.MonkeyPatch) -> Libvirt:
    made = Libvirt(FakeHost())
    for name in ("stop", "start", "start_as"):
        monkeypatch.setattr(control, name, getattr(made, name))
    monkeypatch.setattr(control, "definition", lambda _: made.definition)
    monkeypatch.setattr(control, "names", lambda: ["lan"])
    monkeypatch.setattr(control, "nics", lambda: [WEB])
    monkeypatch.setattr(systemd, "restart", made.restart)
    monkeypatch.setattr(restart_network, "patient_host", lambda: made.host)
    monkeypatch.setattr(restart_network, "require_root", lambda _: None)
    monkeypatch.setattr(restart_network, "_daemon", lambda _: "libvirtd.service")
    monkeypatch.setattr(restart_network, "cycle", lambda *_: made.did.append("look"))
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_it(*, yes: bool = True, dry_run: bool = False) -> tuple[int, str, str]:
        status = restart_network.run(Namespace(network="lan", yes=yes, dry_run=dry_run))
        return (status, *capsys.readouterr())

    return run_it


def test_nothing_happens_without_a_yes(libvirt: Libvirt, run: Run) -> None:
    status, out, err = run(yes=False)
    assert (status, libvirt.did) == (1, [])
    assert "takes a restart to run as it is defined: <forward> differs" in out
    assert "  guest web1 (vnet1, 52:54:00:00:00:01)\n" in out
    assert err == "nethook: nothing was changed; use --yes to restart it\n"


def test_a_dry_run_tells_whether_it_is_needed(libvirt: Libvirt, run: Run) -> None:
    status, out, err = run(yes=False, dry_run=True)
    assert (status, err, libvirt.did) == (1, "", [])
    assert "takes a restart to run as it is defined" in out
    libvirt.definition = libvirt.definition._replace(running=libvirt.definition.defined)
    assert run(yes=False, dry_run=True)[0] == 0
    libvirt.host.kernel.links["vnet1"].master = 0
    assert run(yes=False, dry_run=True)[0] == 1, "its guest is not plugged in"


def test_a_restart(libvirt: Libvirt, run: Run) -> None:
    status, out, err = run()
    assert (status, err) == (0, "")
    assert libvirt.did == ["stop", "start", "start as defined", "restart daemon", "look"]
    assert "guest web1 (vnet1, 52:54:00:00:00:01): was off for " in out


def test_a_look_that_fails_is_told(libvirt: Libvirt, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_: object) -> None:
        raise NethookError("other runs keep coming between")

    monkeypatch.setattr(restart_network, "cycle", look)
    status, out, err = run()
    assert (status, err) == (1, "nethook: other runs keep coming between\n")
    assert libvirt.did[-1] == "restart daemon"
    assert "was off for " in out


def test_what_does_not_start_is_started_as_before(libvirt: Libvirt, run: Run) -> None:
    libvirt.starts = False
    status, out, err = run()
    assert status == 1
    assert libvirt.did == ["stop", "start", "start as before", "restart daemon", "look"]
    assert "libvirt cannot start network lan: no; the network starts as it was before" in err
    assert "network lan runs as it was before" in out
    assert libvirt.host.kernel.links["vnet1"].master == libvirt.host.number_of("virbr1")


def test_a_network_that_does_not_start_at_all_is_told(
    libvirt: Libvirt, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start_as(*_: str) -> None:
        raise NethookError("libvirt cannot start network lan as it was: no")

    libvirt.starts = False
    monkeypatch.setattr(control, "start_as", start_as)
    status, _, err = run()
    assert status == 1
    assert "network lan is stopped, and its guests cannot be reached" in err
    assert err.endswith("When that is corrected, run: nethook restart-network lan\n")


def test_a_host_that_cannot_be_read_once_the_network_runs_is_told(
    libvirt: Libvirt, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = libvirt.host.links

    def links() -> object:
        if "start" in libvirt.did:
            raise NethookError("cannot read the devices")
        return read()

    monkeypatch.setattr(type(libvirt.host), "links", lambda _: links())
    status, _, err = run()
    assert status == 1
    assert "cannot read the devices; not all of its guests may be plugged in" in err


def test_a_daemon_that_does_not_start_leaves_no_guest_alone(libvirt: Libvirt, run: Run) -> None:
    libvirt.plugs = False
    status, _, err = run()
    assert status == 1
    assert "libvirtd.service failed" in err
    assert "has not plugged in vnet1; nethook has, on virbr1" in err
    assert libvirt.host.kernel.links["vnet1"].master == libvirt.host.number_of("virbr1")


def test_a_daemon_that_hangs_keeps_no_guest_off(libvirt: Libvirt, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """But one that libvirt keeps apart from others waits for it."""
    apart = WEB._replace(guest="web2", tap="vnet2", is_isolated=True)
    libvirt.host.kernel.add_link("vnet2", "tun", master="virbr1")
    monkeypatch.setattr(control, "nics", lambda: [WEB, apart])
    monkeypatch.setattr(restart_network, "HURRY", 0)
    monkeypatch.setattr(restart_network, "PATIENCE", 0)
    libvirt.hangs.clear()
    plugged: list[str] = []

    def plug(call: Call) -> Result:
        plugged.append(call.stdin)
        libvirt.hangs.set()
        return run_it(call)

    run_it = libvirt.host.run
    monkeypatch.setattr(type(libvirt.host), "run", lambda _, call: plug(call))
    run()
    assert plugged == ["link set vnet1 master virbr1\n", "link set vnet2 master virbr1\n"]


def test_devices_that_somebody_plugged_in_are_plugged_in_again(libvirt: Libvirt, run: Run) -> None:
    libvirt.host.kernel.add_link("container0", "veth", master="virbr1")
    status, out, _ = run()
    assert status == 0
    assert "It also takes these devices off the bridge for a moment: container0" in out
    assert libvirt.host.kernel.links["container0"].master == libvirt.host.number_of("virbr1")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "libvirt has no network lan; did you mean lan?"),
        (Definition("lan", NAT, ""), "network lan is transient"),
        (Definition("lan", "", XML.format("bridge")), "has no bridge that libvirt makes"),
    ],
)
def test_what_is_refused(libvirt: Libvirt, run: Run, found: Definition | None, why: str) -> None:
    libvirt.definition = found  # type: ignore[assignment]
    with pytest.raises(NethookError, match=why.replace("?", "[?]")):
        run()
    assert libvirt.did == []
