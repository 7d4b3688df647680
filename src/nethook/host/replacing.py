"""Replacing a file of an administrator: it has the old content or the new one, whatever happens meanwhile.

Mode, owner, access control list and SELinux label stay. The caller holds the lock of runs: what a killed run has left
beside the file is removed.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from nethook.host.files import UnfitError, remove, trusted

NEW_FILE, NEW_FOLDER = 0o644, 0o755
OF_CONTENT = {"security.ima", "security.evm"}
"""Attributes that the kernel computes from the content."""


def replace(path: str, data: bytes) -> None:
    """Make the file hold this; if the path is a link, the file that it leads to. A file that is not there is made.

    OSError if that fails, UnfitError if a file there would not be read: see ``trusted``. Then the file is as before.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    made = _make_folder(folder)
    beside = os.path.join(folder, f".{name}.nethook-new")
    try:
        _write(beside, data, target)
        _refuse_unfit(beside, path)
        os.replace(beside, target)
    except BaseException:
        remove(beside)
        if made:
            os.rmdir(folder)
        raise
    _sync(folder)


def _write(beside: str, data: bytes, like: str) -> None:
    remove(beside)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        _make_alike(descriptor, like)
        os.fsync(descriptor)


def _make_alike(descriptor: int, like: str) -> None:
    """Give a new file the owner, mode and extended attributes of this one, if it is there."""
    try:
        status = os.stat(like)
    except FileNotFoundError:
        os.fchmod(descriptor, NEW_FILE)
        return
    os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    here = _attributes(descriptor)
    for name, value in _attributes(like).items():  # such as security.selinux and system.posix_acl_access
        if here.get(name) != value:
            os.setxattr(descriptor, name, value)


def _attributes(file: int | str) -> dict[str, bytes]:
    try:
        names = os.listxattr(file)
    except OSError as error:
        if error.errno != errno.ENOTSUP:  # a file system without them
            raise
        return {}
    return {name: os.getxattr(file, name) for name in names if name not in OF_CONTENT}


def _refuse_unfit(beside: str, path: str) -> None:
    """Raise UnfitError if the file that was written would not be read in its place."""
    try:
        trusted(beside)
    except UnfitError as error:
        where = path if error.path == beside else error.path
        raise UnfitError(where, error.why, mode=error.mode, owner=error.owner, target=error.target) from None


def _make_folder(path: str) -> bool:
    """Create the folder, whatever the umask. Return whether it is new."""
    try:
        os.mkdir(path)
    except FileExistsError:
        return False
    os.chmod(path, NEW_FOLDER)
    return True


def _sync(folder: str) -> None:
    """Make the rename survive a power failure, where the file system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
