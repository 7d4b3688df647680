"""add, remove and edit on a real file system: with packets, attributes, other writers, a full disk, and kill -9."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab.processes import run
from lab.world.verbs import command
from lab.world.world import CONFIGURATION, SOURCE
from tests.kernel.editing_host import ADDED, OLD, Here

if TYPE_CHECKING:
    from lab.world.world import World

SELINUX, LABEL = "security.selinux", b"system_u:object_r:etc_t:s0\0"
ACL = "system.posix_acl_access"
ACL_OF_A_READER = bytes.fromhex(
    "02000000 01000600ffffffff 02000400e8030000 04000400ffffffff 10000400ffffffff 20000400ffffffff"
)
"""user::rw-, user:1000:r--, group::r--, mask::r--, other::r--. Source: struct posix_acl_xattr_header in the kernel."""


@pytest.fixture
def here(nftables_world: World) -> Here:
    return Here(nftables_world)


def test_an_address_answers_as_soon_as_it_is_added_and_until_it_is_removed(here: Here) -> None:
    guest = here.world.guest(here.public, "203.0.113.10")
    outside = here.world.outside(4)
    assert not here.world.exchange(outside, guest.at("203.0.113.10"))
    added = here.verb("add", "203.0.113.10", "public", "--yes")
    assert (added.returncode, added.stderr) == (0, "")
    assert here.file.read_text() == "203.0.113.10  public\n"
    assert here.world.exchange(outside, guest.at("203.0.113.10"))
    assert here.verb("plan").returncode == 0
    removed = here.verb("remove", "203.0.113.10", "--yes")
    assert (removed.returncode, removed.stderr) == (0, "")
    assert (here.file.read_text(), stat.S_IMODE(here.file.stat().st_mode)) == ("", 0o644)
    assert not here.world.exchange(outside, guest.at("203.0.113.10"))
    assert here.folder() == ["routed-ips"]


def test_a_mistake_that_only_this_host_can_tell(here: Here) -> None:
    here.has()
    for words, said in (
        (["198.51.100.2", "public"], "198.51.100.2 is an address of this host, on uplink"),
        (["198.51.100.1", "public"], "198.51.100.1"),
        (["192.0.2.8/30", "public"], "192.0.2.8/30 overlaps the subnet 192.0.2.8/29 of network public itself"),
        (["198.51.100.2:22", "public", "to=10.0.0.1"], "network public has no address 10.0.0.1"),
        (["203.0.113.11", "public", "proxy=eth9"], "there is no device eth9"),
    ):
        refused = here.verb("add", *words, "--yes")
        assert refused.returncode == 1
        assert refused.stderr.startswith("nethook add: ")
        assert said in refused.stderr
        assert refused.stderr.endswith("nethook: nothing was written\n")
    assert (here.file.read_bytes(), here.folder()) == (OLD, ["routed-ips"])


def test_a_line_that_would_lock_somebody_out(here: Here) -> None:
    """Neither a new one, nor one that takes more as soon as another one is removed."""
    words = ["--yes", "--forward", "198.51.100.2", "public", "to=192.0.2.10"]
    refused = here.verb("add", *words)
    assert refused.returncode == 1
    what = "nethook add: 198.51.100.2 is the only IPv4 address of this host: nobody would reach the host itself"
    assert refused.stderr.startswith(what)
    assert "write `198.51.100.2:22 -` on a line of its own" in refused.stderr
    assert here.verb("add", "--yes", "198.51.100.2:22", "-").returncode == 0
    assert here.verb("add", *words).returncode == 0
    file = here.file.with_name("forwarded-ports")
    assert file.read_text() == "198.51.100.2:22  -\n198.51.100.2  public  to=192.0.2.10\n"
    refused = here.verb("remove", "--yes", "198.51.100.2:22")
    assert refused.returncode == 1
    assert refused.stderr.startswith("/etc/nethook/forwarded-ports:2:1: 198.51.100.2 is the only IPv4 address")
    assert file.read_text().startswith("198.51.100.2:22  -\n")
    removed = here.verb("remove", "--yes", "198.51.100.2")
    assert (removed.returncode, file.read_text()) == (0, "198.51.100.2:22  -\n")


def test_a_new_file_comes_to_where_this_distribution_has_it(here: Here) -> None:
    here.world.machine.run("sh", "-c", "rmdir /etc/nethook; umask 077; mkdir -m 755 -p /etc/default")
    assert here.verb("add", "--yes", "203.0.113.11", "public").returncode == 0
    file = here.world.machine.root / "etc/default/routed-ips"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("203.0.113.11  public\n", 0o644)
    assert here.is_routed("203.0.113.11")


@pytest.mark.parametrize("is_link", [False, True])
def test_what_the_file_has_stays(here: Here, is_link: bool) -> None:
    """Mode, owner, group, access control list, SELinux label, and a link to it."""
    path = here.has()
    real = path
    if is_link:
        real = here.world.machine.root / "etc" / "real-ips"
        path.rename(real)
        path.symlink_to("/etc/real-ips")
    os.chown(real, 0, 1000)
    os.setxattr(real, ACL, ACL_OF_A_READER)
    os.setxattr(real, SELINUX, LABEL)
    before = real.stat()
    for arguments in (("add", "--yes", "203.0.113.11", "public"), ("remove", "--yes", "203.0.113.11")):
        assert here.verb(*arguments).returncode == 0
        after = real.stat()
        assert after.st_ino != before.st_ino
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, 0, 1000)
        assert os.getxattr(real, SELINUX) == LABEL
        assert os.getxattr(real, ACL) == ACL_OF_A_READER
        assert path.is_symlink() == is_link
    assert real.read_bytes() == OLD
    assert here.folder() == ["routed-ips"]


@pytest.mark.parametrize(("mode", "owner"), [(0o666, 0), (0o644, 1000)])
def test_a_file_that_others_may_change_is_refused(here: Here, mode: int, owner: int) -> None:
    path = here.has(mode=mode)
    os.chown(path, owner, 0)
    for arguments in (("add", "--yes", "203.0.113.11", "public"), ("remove", "--yes", "203.0.113.10"), ("edit",)):
        refused = here.verb(*arguments)
        assert refused.returncode == 2
        assert f"run: ch{'own root' if owner else 'mod go-w'} {CONFIGURATION}" in refused.stderr
    assert path.read_bytes() == OLD


def test_a_full_disk(here: Here) -> None:
    here.world.machine.run("mount", "-t", "tmpfs", "-o", "size=8k,mode=755", "tmpfs", "/etc/nethook")
    old = OLD + b"# " + b"x" * 3000 + b"\r\n"
    here.has(old)
    here.world.machine.write("/etc/nethook/other", b"x" * 4096)
    failed = here.verb("add", "--yes", "203.0.113.11", "public")
    assert failed.returncode == 2
    assert failed.stderr == f"nethook: {CONFIGURATION}: cannot be written: No space left on device\n"
    assert (here.file.read_bytes(), here.folder()) == (old, ["other", "routed-ips"])
    assert not here.is_routed("203.0.113.11")


KILLED = """
import os
real = os.{name}
def killed(*arguments, **named):
    if {before}:
        os.kill(os.getpid(), 9)
    real(*arguments, **named)
    os.kill(os.getpid(), 9)
os.{name} = killed
"""


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("name", ["fchown", "fchmod", "fsync", "replace"])
def test_killed_in_between(here: Here, name: str, before: bool) -> None:
    here.has()
    code = KILLED.format(name=name, before=before)
    words = ("add", "--yes", "203.0.113.11", "public")
    assert run(command(here.world, *words, code=code), check=False).returncode == -9
    is_written = name == "replace" and not before
    assert here.file.read_bytes() == (ADDED if is_written else OLD)
    again = here.verb(*words)
    assert (again.returncode, "already there" in again.stdout) == (0, is_written)
    assert (here.file.read_bytes(), here.folder()) == (ADDED, ["routed-ips"])


def test_many_at_once(here: Here) -> None:
    here.has()
    addresses = [f"203.0.113.{number}" for number in range(20, 26)]
    children = [
        subprocess.Popen(command(here.world, "add", "--yes", address, "public"), stdout=subprocess.PIPE)
        for address in addresses
    ]
    assert [(child.communicate()[0] != b"", child.returncode) for child in children] == [(True, 0)] * len(addresses)
    assert here.file.read_bytes().startswith(OLD)
    assert sorted(here.file.read_bytes().split(b"\r\n")[2:-1]) == [
        f"{address}  public".encode() for address in addresses
    ]
    assert all(here.is_routed(address) for address in addresses)


def test_the_line_stays_when_applying_fails(here: Here) -> None:
    here.has()
    code = "from nethook.host import Host\ndef refuse(*_): raise OSError(5, 'Input/output error')\n"
    code = f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n{code}Host.record = refuse\n"
    failed = run(command(here.world, "add", "--yes", "203.0.113.11", "public", code=code), check=False)
    assert failed.returncode == 1
    assert f"the change is in {CONFIGURATION}, but not everything is in force" in failed.stderr
    assert here.file.read_bytes() == ADDED
    assert here.verb("apply").returncode == 0
    assert here.is_routed("203.0.113.11")
