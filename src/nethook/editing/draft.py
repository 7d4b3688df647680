"""Drafts: new content for one of the files. It can be read as if it were there, and is written in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from nethook.config import FORWARDED_PORTS_FILES, ROUTED_IPS_FILES, load, load_settings
from nethook.config.files import file_for_lines, find_files, read_file, refusal
from nethook.config.text import one_line
from nethook.errors import NethookError
from nethook.host.files import UnfitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config import Configuration
    from nethook.config.files import File
    from nethook.host import Host


class Kind(NamedTuple):
    """One of the two kinds of files: its name, which is also that of its setting, and where it is searched."""

    name: str
    search: Sequence[str]

    def path(self, host: Host) -> str:
        """Return the file for a new line. ConfigError or ReadError if the settings cannot be relied on."""
        return self._chosen(host) or file_for_lines(host, self.search)

    def sources(self, host: Host) -> list[File]:
        """Return names and contents of the files that are read. ConfigError, ReadError."""
        return find_files(host, self.name, self._chosen(host), self.search)

    def _chosen(self, host: Host) -> str | None:
        settings = load_settings(host)
        return settings.routed_ips if self.name == ROUTED_IPS.name else settings.forwarded_ports


ROUTED_IPS = Kind("routed-ips", ROUTED_IPS_FILES)
FORWARDED_PORTS = Kind("forwarded-ports", FORWARDED_PORTS_FILES)
KINDS = {kind.name: kind for kind in (ROUTED_IPS, FORWARDED_PORTS)}


class FileChangedError(NethookError):
    """The file has changed since it was read for the draft, so the draft was not written."""

    def __init__(self, path: str, now: bytes | None) -> None:
        super().__init__(f"{path} was changed meanwhile by somebody else, so nothing was written; try again")
        self.now = now


class Draft:
    """New content of a file. ``before`` is the content that it replaces, None if there is no file."""

    def __init__(self, path: str, before: bytes | None, after: bytes) -> None:
        self.path = path
        self.before = before
        self.after = after

    def configuration(self, host: Host) -> Configuration:
        """Return the configuration as if the draft were written. ConfigError, ReadError."""
        return load(cast("Host", _Drafted(host, self)))

    def write(self, host: Host) -> None:
        """Write the draft. FileChangedError, ConfigError if it would not be read there, NethookError if that fails."""
        with host.locked():
            now = read_file(host, self.path)
            if now != self.before:
                raise FileChangedError(self.path, now)
            try:
                host.replace(self.path, self.after)
            except UnfitError as error:
                raise refusal(error) from None
            except OSError as error:
                raise NethookError(one_line(f"{self.path}: cannot be written: {error.strerror}")) from error


class _Drafted:
    """A host on which the draft is written already."""

    def __init__(self, host: Host, draft: Draft) -> None:
        self._host = host
        self._draft = draft

    def trusted(self, path: str) -> bytes | None:
        return self._draft.after if path == self._draft.path else self._host.trusted(path)

    def has_file(self, path: str) -> bool:
        return path == self._draft.path or self._host.has_file(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)
