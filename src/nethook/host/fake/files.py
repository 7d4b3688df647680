"""Files of the fake host, and the folder whose time of change the lock uses (see ``host/lock.py``)."""

from __future__ import annotations

import errno
import os
from copy import copy
from typing import TYPE_CHECKING

from nethook.errors import NethookError
from nethook.host.lock import FOLDER, MISSED, RECORD_LOCK, Locked, RecordLock, Version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nethook.host.files import Stamp


class Files:
    """Texts by path. Only ``/run/nethook`` is known as a folder that may be missing."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.has_folder = False
        self.is_locked = False
        """Whether another run holds the lock, and keeps it for too long."""
        self.time = 1
        self.stamp = 0
        """When a file in the folder has last come, gone or been replaced, or a run has taken the lock."""
        self.versions: dict[str, int] = {}
        """When each file that is there was written."""

    def copy(self) -> Files:
        """Return one that may be changed without changing this one."""
        made = copy(self)
        made.texts, made.versions = dict(self.texts), dict(self.versions)
        return made

    def changed(self) -> None:
        """Note that the folder has changed."""
        self.time += 1
        self.stamp = self.time

    def make_folder(self) -> bool:
        """Make the folder. Returns whether it was not there."""
        is_new = not self.has_folder
        self.has_folder = True
        if is_new:
            self.changed()
        return is_new

    def record(self, path: str, text: str) -> None:
        """Make a file hold this text."""
        if path.startswith(f"{FOLDER}/"):
            if not self.has_folder:
                raise error_of(errno.ENOENT, path)
            self.changed()
        self.texts[path] = text
        self.versions[path] = self.time

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        if self.texts.pop(path, None) is not None:
            self.versions.pop(path, None)
            self.changed()

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder."""
        return sorted(path[len(folder) + 1 :] for path in self.texts if os.path.dirname(path) == folder)

    def content(self, path: str) -> bytes | None:
        """Return the bytes of a file; None if there is none."""
        return self.texts[path].encode("utf-8", "surrogateescape") if path in self.texts else None

    def state_of(self, paths: Iterable[str]) -> list[Stamp]:
        """Return the state of these files and of those in their ``.d`` folders."""
        all_paths = (each for path in paths for each in (path, *(f"{path}.d/{x}" for x in self.names(f"{path}.d"))))
        texts = [(path, self.texts[path]) for path in all_paths if path in self.texts]
        return [(path, 0, len(text), hash(text)) for path, text in texts]


class FakeLock(Locked):
    """The lock of runs."""

    def __init__(self, files: Files, as_of: int | None) -> None:
        super().__init__(as_of)
        self._files = files

    def __enter__(self) -> FakeLock:
        is_new = self._files.make_folder()
        if self._files.is_locked:
            self._files.record(MISSED, "")
            raise NethookError(f"another run has held the lock {FOLDER} for too long; nothing was changed")
        previous = 0 if is_new else self._files.stamp
        self.is_current = self._as_of in {None, previous}
        if self.is_current:
            self._files.changed()
        return self

    def __exit__(self, *exception: object) -> None:
        del exception


class FakeVersion(Version):
    """A file of ours as it was when a ``with`` block began."""

    def __init__(self, files: Files, path: str) -> None:
        super().__init__(path)
        self._files = files

    def __enter__(self) -> FakeVersion:
        self._version = self._files.versions.get(self._path)
        return self

    @property
    def is_current(self) -> bool:
        """True if the file has not been written or removed since."""
        return self._files.versions.get(self._path) == self._version

    def __exit__(self, *exception: object) -> None:
        del exception


class FakeRecordLock(RecordLock):
    """The lock of the record."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def __enter__(self) -> None:
        self._files.make_folder()
        if RECORD_LOCK not in self._files.texts:
            self._files.record(RECORD_LOCK, "")

    def __exit__(self, *exception: object) -> None:
        del exception


def error_of(number: int, path: str) -> OSError:
    """Return the error that the kernel has for this."""
    return OSError(number, os.strerror(number), path)
