"""Replacing a file: it has the old content or the new one, whatever fails, and what else it has stays."""

from __future__ import annotations

import os
import stat
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import pytest

from nethook.editing.draft import Draft
from nethook.errors import ConfigError, NethookError
from nethook.host import Host, replacing
from nethook.host.files import SIZE_LIMIT, UnfitError
from nethook.host.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

OLD, NEW = b"old\r\n", b"new"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in a folder of its own."""
    made = tmp_path / "default" / "routed-ips"
    made.parent.mkdir(mode=0o755)
    made.write_bytes(OLD)
    made.chmod(0o640)
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_content_and_mode(path: Path) -> None:
    before = path.stat().st_ino
    replace(str(path), NEW)
    assert (path.read_bytes(), mode(path)) == (NEW, 0o640)
    assert path.stat().st_ino != before
    assert os.listdir(path.parent) == ["routed-ips"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_new_file(path: Path, umask: int) -> None:
    path.unlink()
    previous = os.umask(umask)
    try:
        replace(str(path), NEW)
        folder = path.parent.parent / "nethook"
        replace(str(folder / "routed-ips"), NEW)
    finally:
        os.umask(previous)
    assert (path.read_bytes(), mode(path)) == (NEW, 0o644)
    assert (mode(folder), os.listdir(folder)) == (0o755, ["routed-ips"])


@pytest.mark.parametrize("is_absolute", [True, False])
def test_the_target_of_a_link_is_replaced(path: Path, is_absolute: bool) -> None:
    link = path.parent.parent / "link"
    link.symlink_to(path if is_absolute else "default/routed-ips")
    replace(str(link), NEW)
    assert link.is_symlink()
    assert (path.read_bytes(), mode(path)) == (NEW, 0o640)
    assert sorted(os.listdir(link.parent)) == ["default", "link"]


def test_what_a_killed_run_has_left_is_in_nobodys_way(path: Path) -> None:
    (path.parent / ".routed-ips.nethook-new").write_bytes(b"half")
    replace(str(path), NEW)
    assert path.read_bytes() == NEW
    assert os.listdir(path.parent) == ["routed-ips"]


def test_a_link_in_the_place_of_the_new_file_is_not_followed(path: Path) -> None:
    other = path.parent.parent / "other"
    other.write_bytes(b"of somebody")
    (path.parent / ".routed-ips.nethook-new").symlink_to(other)
    replace(str(path), NEW)
    assert (path.read_bytes(), other.read_bytes()) == (NEW, b"of somebody")
    assert not path.is_symlink()


@as_root
def test_owner_and_group(path: Path) -> None:
    os.chown(path, 0, 1000)
    replace(str(path), NEW)
    assert (path.stat().st_uid, path.stat().st_gid) == (0, 1000)


@as_root
def test_what_would_not_be_read_is_not_written(path: Path) -> None:
    path.parent.chmod(0o777)
    for target in (path, path.parent / "new"):
        with pytest.raises(UnfitError, match=f"{path.parent}: everybody"):
            replace(str(target), NEW)
    path.parent.chmod(0o755)
    path.chmod(0o666)
    with pytest.raises(UnfitError, match=f"^{path}: everybody"):
        replace(str(path), NEW)
    assert path.read_bytes() == OLD
    assert os.listdir(path.parent) == ["routed-ips"]


def test_a_file_that_is_too_large_is_not_written(path: Path) -> None:
    with pytest.raises(UnfitError, match=f"^{path}: too large"):
        replace(str(path), bytes(SIZE_LIMIT + 1))
    assert path.read_bytes() == OLD


CALLS = ("open", "fchown", "fchmod", "listxattr", "fsync", "replace", "stat", "unlink")


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("is_new", [False, True])
def test_whatever_fails_the_old_file_is_whole(
    name: str, is_new: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call of each function fails once."""
    if is_new:
        path.unlink()
    failed = True
    number = 0
    while failed:
        failed = False
        left = number
        real: Callable[..., object] = getattr(os, name)

        def call(*arguments: object, real: Callable[..., object] = real, **named: object) -> object:
            nonlocal left, failed
            left -= 1
            if left == -1 and (name != "unlink" or os.path.lexists(str(arguments[0]))):
                failed = True
                raise OSError(5, "Input/output error")
            return real(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(os, name, call)
            with suppress(OSError):
                is_written = False
                replace(str(path), NEW)
                is_written = True
        if is_written:
            assert path.read_bytes() == NEW
        else:
            assert not path.exists() if is_new else path.read_bytes() == OLD
        assert os.listdir(path.parent) in ([], ["routed-ips"])
        if is_new:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(OLD)
        number += 1
    assert number > 0


@pytest.fixture
def unlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the lock of runs nobody's matter."""

    def locked(_: Host) -> AbstractContextManager[None]:
        return nullcontext()

    monkeypatch.setattr(Host, "locked", locked)


@pytest.mark.usefixtures("unlocked")
def test_a_draft_says_what_failed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(NethookError, match="was changed meanwhile by somebody else"):
        Draft(str(path), b"other", NEW).write(Host(0))
    with pytest.raises(ConfigError, match="the file is larger than 16 MiB; split it"):
        Draft(str(path), OLD, bytes(SIZE_LIMIT + 1)).write(Host(0))
    monkeypatch.setattr(replacing, "_write", refuse)
    with pytest.raises(NethookError, match=f"{path}: cannot be written: No space left on device"):
        Draft(str(path), OLD, NEW).write(Host(0))
    assert path.read_bytes() == OLD
