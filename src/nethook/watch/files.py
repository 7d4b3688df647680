"""The files as a source: those of the configuration, and the folders in which they are or may come to be."""

from __future__ import annotations

from os.path import dirname
from typing import TYPE_CHECKING

from nethook.host.inotify import Inotify, real_path, targets_of_links
from nethook.watch.source import Interests, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".d"


class Files(Source):
    """Changes of files. Whether their content has changed, the cycle finds out."""

    name = "files"

    def __init__(self) -> None:
        self._inotify = Inotify()
        self._paths: set[str] = set()
        self._folders: set[str] = set()
        self._files: list[str] = []
        try:
            self.follow(Interests())
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor of inotify."""
        return self._inotify.fileno()

    def close(self) -> None:
        """Watch no more."""
        self._inotify.close()

    def follow(self, interests: Interests) -> bool:
        """Watch these files from now on. Return whether there are others than before."""
        is_new = self._files != [*interests.files]
        self._files = [*interests.files]
        self._paths, self._folders = set(), set()
        watched: set[str] = set()
        for file in interests.files:
            for path in {file, real_path(file)}:  # a link, and where it leads
                watched.add(self._watch(path))
            folder = f"{file}{SUFFIX}"
            if self._inotify.watch(folder):
                watched |= {folder, *map(self._watch, targets_of_links(folder))}
                self._folders.add(folder)
            self._paths.add(folder)
        self._inotify.keep(watched)
        return is_new

    def _watch(self, path: str) -> str:
        """Watch for this path in its folder, or for that in the nearest folder that exists; return the folder."""
        folder = dirname(path)
        self._paths |= {path, folder}  # a folder that goes is told by itself
        if not self._inotify.watch(folder):
            found = self._watch(folder)
            if not self._inotify.watch(folder):
                return found
        return folder  # it may have come while its parent was not yet watched

    def read(self) -> Iterator[str]:
        """Yield the files that have changed."""
        changed = {path for path in self._inotify.read() if self._is_watched(path)}
        if changed:
            self.follow(Interests(files=self._files))  # folders may have come or gone
            yield f"{', '.join(sorted(changed)) if all(changed) else 'a file'} changed"

    def _is_watched(self, path: str) -> bool:
        return not path or path in self._paths or path in self._folders or dirname(path) in self._folders
