"""What installing decides from what the host says."""

from __future__ import annotations

import os
import pwd
import re
import stat
import struct
import time
from typing import TYPE_CHECKING

import pytest

from nethook.errors import NethookError
from nethook.host import process
from nethook.host.process import CALL_SECONDS, Call, Result, Tools
from nethook.install import confinement, hook_file, package, systemd, units
from nethook.install.own_files import MARK, is_ours, write
from nethook.install.package import PACKAGE, stub
from nethook.install.task import SECONDS, RefusedError, patient_host

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("version", "place"), [((6, 4), hook_file.ONLY), ((6, 5), hook_file.OURS), ((10, 0), hook_file.OURS)]
)
def test_the_place_of_the_hook(version: tuple[int, int], place: str) -> None:
    assert hook_file.path_for(version) == place


def test_all_that_is_written_is_known_again(tmp_path: Path) -> None:
    assert is_ours(str(PACKAGE / "lv-setup-routed-ips"))
    texts = [stub("/usr/bin/python3", "/somewhere"), units.text("/usr/bin/python3")]
    for text in texts:
        (tmp_path / "file").write_text(text)
        assert is_ours(str(tmp_path / "file"))


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh\n", b"#!/bin/sh\n\n" + MARK.encode(), b"\0\xff" * 9999, f"# {MARK}\n".encode()]
)
def test_what_is_of_others(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert is_ours(str(path)) is False


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert [is_ours(str(tmp_path / name)) for name in (".", "fifo", "link", "absent", "fifo/x")] == [
        *(False, False, False),
        *(None, None),
    ]


def test_no_placeholder_is_left_in_a_unit() -> None:
    assert not re.search("@[A-Z]+@", units.text("/usr/bin/python3"))


def _settings() -> list[str]:
    return units.text("/usr/bin/python3").splitlines()


def test_the_service_writes_its_own_folder_the_lock_of_iptables_and_metrics_only() -> None:
    service = _settings()
    assert "ProtectSystem=strict" in service
    assert [line for line in service if line.startswith(("ReadWritePaths=", "RuntimeDirectory"))] == [
        "RuntimeDirectory=nethook",
        "RuntimeDirectoryMode=0700",
        "RuntimeDirectoryPreserve=yes",
        "ReadWritePaths=-/run/xtables.lock",
        "ReadWritePaths=-/var/lib/prometheus/node-exporter -/var/lib/node_exporter/textfile_collector",
    ]


def test_all_that_the_service_says_is_found_under_our_name() -> None:
    assert "SyslogIdentifier=nethook" in _settings()


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/usr/bin/python3.11", "/usr/bin/python3.11"),
        ("/opt/my env/bin/python", '"/opt/my env/bin/python"'),
        ("/opt/100%/python", "/opt/100%%/python"),
        ('/opt/"\\/python', '"/opt/\\"\\\\/python"'),
    ],
)
def test_a_path_as_systemd_reads_it(path: str, word: str) -> None:
    assert units.quoted(path) == word


@pytest.mark.parametrize(
    ("enforce", "boolean", "warns"),
    [
        (None, None, False),
        ("1", None, False),
        ("1", "1 1", False),
        ("1", "1 0", False),
        ("0", "0 0", True),
        ("0", "0 1", True),
        ("0", "1 1", False),
    ],
)
def test_selinux_lets_hooks_run(enforce: str | None, boolean: str | None, warns: bool) -> None:
    assert bool(confinement.selinux_warning(enforce, boolean)) == warns


@pytest.mark.parametrize("boolean", ["0 0", "0 1"])
def test_selinux_denies_hooks(boolean: str) -> None:
    with pytest.raises(RefusedError, match="setsebool"):
        confinement.selinux_warning("1\n", boolean)


@pytest.mark.parametrize(
    ("profiles", "confines"),
    [
        ("", False),
        ("libvirtd (enforce)\n", True),
        ("a (complain)\nvirtnetworkd (enforce)\n", True),
        ("/usr/sbin/libvirtd (enforce)\n", True),
        ("libvirtd (complain)\n", False),
        ("libvirtd (complain)\nlibvirtd//qemu_bridge_helper (enforce)\n", False),
        ("libvirt-0b7e (enforce)\n", False),
    ],
)
def test_apparmor_confines_libvirt(profiles: str, confines: bool) -> None:
    assert confinement.confines_libvirt(profiles) == confines


@pytest.mark.parametrize(
    ("program", "may"),
    [
        ("/usr/bin/lv-setup-routed-ips", True),
        ("/etc/libvirt/hooks/lib/lv-setup-routed-ips", True),
        ("/usr/local/bin/lv-setup-routed-ips", False),
        ("/usr/bin/deeper/lv-setup-routed-ips", False),
        ("/opt/venv/bin/lv-setup-routed-ips", False),
    ],
)
def test_apparmor_lets_libvirt_run(program: str, may: bool) -> None:
    assert confinement.may_run(program) == may


# Version; then tag, permissions and number of each entry: owner, user, group, mask, others. linux/posix_acl_xattr.h
LETS_NOBODY_WRITE = struct.pack(
    "<I" + "HHI" * 5,
    *(2, 1, 6, 2**32 - 1, 2, 6, 65534, 4, 4, 2**32 - 1, 16, 6, 2**32 - 1, 32, 4, 2**32 - 1),
)
ACL = "system.posix_acl_access"


def status(mode: int, uid: int = 0, gid: int = 0) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("of", "weakness"),
    [
        (status(stat.S_IFREG | 0o755), ""),
        (status(stat.S_IFREG | 0o775), ""),
        (status(stat.S_IFREG | 0o775, gid=54321), ""),  # a group without users
        (status(stat.S_IFREG | 0o757), "can be written by everybody"),
        (status(stat.S_IFREG | 0o755, uid=1000), "belongs to user 1000"),
        (status(stat.S_IFLNK | 0o777), ""),
        (status(stat.S_IFLNK | 0o777, uid=1000), "belongs to user 1000"),
        (status(stat.S_IFDIR | 0o777), "can be written by everybody"),
        (status(stat.S_IFDIR | 0o1777), ""),
        (status(stat.S_IFDIR | 0o1777, uid=1000), "belongs to user 1000"),
    ],
)
def test_who_else_may_change_it(of: os.stat_result, weakness: str) -> None:
    assert package.who_may_change("/a", of, others_may_add=True) == weakness


def test_whoever_is_in_the_group_may_change_it() -> None:
    nobody = pwd.getpwnam("nobody")
    weakness = package.who_may_change("/a", status(stat.S_IFREG | 0o775, gid=nobody.pw_gid), others_may_add=True)
    assert "nobody" in weakness.removeprefix("can be written by ").split(", ")


def test_nobody_may_add_to_code() -> None:
    found = package.who_may_change("/a", status(stat.S_IFDIR | 0o1777), others_may_add=False)
    assert found == "can be written by everybody"


def test_whoever_an_access_control_list_names_may_change_it(tmp_path: Path) -> None:
    path = tmp_path / "code"
    path.write_text("")
    path.chmod(0o644)
    os.setxattr(path, ACL, LETS_NOBODY_WRITE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    found = package.who_may_change(str(path), path.stat(), others_may_add=True)
    assert found == f"has an access control list (see getfacl {path}) and can be written by those named in it"


def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    path = folder / "network.d" / "50-nethook"
    seen = []

    def verify(temporary: str) -> None:
        assert os.path.dirname(temporary) == str(folder)
        assert not path.parent.exists()
        with open(temporary, "rb") as file:
            seen.append((file.read(), stat.S_IMODE(os.stat(temporary).st_mode)))
        if len(seen) == 1:
            raise RefusedError("no")

    with pytest.raises(RefusedError):
        write(str(path), b"text", 0o755, str(folder), verify)
    assert list(tmp_path.iterdir()) == []
    write(str(path), b"text", 0o755, str(folder), verify)
    assert seen == [(b"text", 0o755)] * 2
    assert path.read_bytes() == b"text"
    assert [entry.name for entry in folder.iterdir()] == ["network.d"]


class _StuckTools(Tools):
    """Tools of a host where systemctl never ends, on a clock of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        super().__init__(60.0)

    def run(self, call: Call) -> Result:
        self.now = self.deadline
        return Result(call, None, "", "")


def test_a_unit_that_never_finishes_takes_no_time_from_the_tasks_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = _StuckTools(monkeypatch)
    with pytest.raises(NethookError, match=r"libvirtd\.service has not finished after 200 s; look later: "):
        systemd.reload(tools, "libvirtd.service").run()
    assert (tools.now, tools.seconds_left) == (200.0, 60.0)


def test_systemd_may_take_longer_than_a_program_of_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """`systemctl daemon-reload` does on a busy host, and the installation must not fail by that."""
    limits: list[float] = []

    class Child:
        pidfd = -1

        def __init__(self, call: Call) -> None:
            self.call = call

        def result(self, *, ended: bool) -> Result:
            return Result(self.call, 0 if ended else None, "", "")

    def wait(_: int, until: float) -> bool:
        limits.append(until - time.monotonic())
        return True

    monkeypatch.setattr(process, "_Child", Child)
    monkeypatch.setattr(process, "_wait", wait)
    for tools in (Tools(SECONDS), patient_host()):
        assert tools.run(Call(("systemctl", "daemon-reload"))).status == 0
    assert limits == pytest.approx([CALL_SECONDS, SECONDS], abs=1)


def test_a_unit_that_was_restarted_often_is_restarted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd refuses the sixth start within 10 s, unless it forgets the others: systemd.unit(5), StartLimitBurst."""
    asked: list[str] = []

    def run(_: Tools, call: Call) -> Result:
        asked.append(str(call))
        return Result(call, 0, "", "")

    monkeypatch.setattr(Tools, "run", run)
    systemd.restart(Tools(1), "libvirtd.service").run()
    assert asked == ["systemctl reset-failed libvirtd.service", "systemctl restart libvirtd.service"]
