"""Files that stand in for those in use, so that they can be checked together with the others before they are there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.config import SETTINGS_FILE, assemble, load_settings
from nethook.config.files import file_for_lines, find_files, read_file
from nethook.config.settings import parse_settings
from nethook.editing.draft import FORWARDED_PORTS, ROUTED_IPS
from nethook.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.config import Configuration
    from nethook.config.files import File
    from nethook.editing.draft import Kind
    from nethook.host import Host


def standing_in(files: Sequence[str], place: str, host: Host) -> Configuration:
    """Return the configuration with these files in the places of those in use that have their names and kinds.

    ``place`` is the one of a single file; '': its name tells. A ``*.conf`` is one of the folder ``.d``, and any other
    name, except that of the settings, stands for the file that is read first. ConfigError, ReadError.
    """
    given = [(file, place or os.path.abspath(file), _data(host, file)) for file in files]
    settings = next(
        (parse_settings(file, data) for file, path, data in given if _kind(path) is None), None
    ) or load_settings(host)
    return assemble(
        settings,
        _sources(ROUTED_IPS, settings.routed_ips, given, host),
        _sources(FORWARDED_PORTS, settings.forwarded_ports, given, host),
    )


def _data(host: Host, file: str) -> bytes:
    data = read_file(host, file)
    if data is None:
        raise ReadError(f"{file}: no such file")
    return data


def _kind(path: str) -> Kind | None:
    """Return what a file of this name lists; None for the settings."""
    folder, name = os.path.split(path)
    if name == os.path.basename(SETTINGS_FILE):
        return None
    is_forwards = name.startswith(FORWARDED_PORTS.name) or os.path.basename(folder) == f"{FORWARDED_PORTS.name}.d"
    return FORWARDED_PORTS if is_forwards else ROUTED_IPS


def _sources(kind: Kind, chosen: str | None, given: Sequence[tuple[str, str, bytes]], host: Host) -> list[File]:
    """Return names and contents of the files of one kind, in the order in which they are read."""
    first = chosen or file_for_lines(host, kind.search)
    used = dict(find_files(host, kind.name, chosen, kind.search))
    found = []
    for file, path, data in given:
        if _kind(path) is kind:
            name = os.path.basename(path)
            place = path if path in used else f"{first}.d/{name}" if name.endswith(".conf") else first
            used.pop(place, None)
            found.append((place, file, data))
    found += [(path, path, data) for path, data in used.items()]
    return [(file, data) for _, file, data in sorted(found, key=lambda each: (each[0] != first, each[0]))]
