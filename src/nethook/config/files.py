"""Which files there are, and reading them.

- Only "no such file" means that there is none. Any other failure stops the run: taken for an empty file, it
  would withdraw all addresses of the host.
- The files decide what reaches which guest. As root, those that others than root may change are refused, and those that
  others may swap, because they may write to a directory or a link on the way.
- What is not a file is not read: a FIFO would stop libvirt until the time-out of the hook.
"""

from __future__ import annotations

import os
import stat

from nethook.config.problem import Place, Problem, one_line
from nethook.errors import ConfigError, NethookError, ReadError
from nethook.host.trust import ACL, GROUP, OWNER, on_the_way, weakness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Source = tuple[str, bytes]
    Stamp = tuple[str, int, int, int]
    """A file as it was: its path, inode, size, and time of its last change in nanoseconds."""

# A hundred times 10,000 lines; what is larger is not what somebody wrote.
SIZE_LIMIT = 16 << 20


def find_routed_ips(chosen: str | None, search: Sequence[str]) -> list[Source]:
    """Names and contents of the files that list routed IPs.

    That is the file ``chosen`` in the settings, which then has to be there, or the first of ``search`` that
    is there; and with it all ``*.conf`` in the directory of the same name with ``.d``, which may also be
    there without the file. ConfigError for a file that is refused, ReadError for one that cannot be read.
    """
    if chosen:
        data = read_file(chosen)
        if data is None:
            raise _refused(chosen, "the file set as routed-ips is not there", "write it, or remove the setting")
        return [(chosen, data), *(_drop_ins(chosen) or [])]
    for path in search:
        data = read_file(path)
        if data is not None:
            return [(path, data), *(_drop_ins(path) or [])]
    for path in search:
        sources = _drop_ins(path)
        if sources is not None:
            return sources
    return []


def hidden_routed_ips(search: Sequence[str]) -> list[Source]:
    """Return names and contents of the files that are not read because another one of ``search`` comes before them.

    What cannot be read or trusted of them is left out.
    """
    sources = []
    for place in places(search)[1:]:
        try:
            data = read_file(place) if place in search else None
            sources += [(place, data)] if data is not None else []
            sources += _drop_ins(place if place in search else place[: -len(".d")]) or []
        except NethookError:
            continue
    return sources


def places(search: Sequence[str]) -> list[str]:
    """The files of ``search`` that are there, then the directories without one: only the first of all is read."""
    files = [path for path in search if os.path.exists(path)]
    return files + [f"{path}.d" for path in search if path not in files and os.path.isdir(f"{path}.d")]


def place_for_lines(search: Sequence[str]) -> str:
    """The file of ``search`` that a line goes into: the one that is read, or the first that has its folder."""
    for path in places(search):
        return path[: -len(".d")] if path not in search else path
    return next((path for path in search if os.path.isdir(os.path.dirname(path))), search[0])


def stamp(paths: Iterable[str]) -> list[Stamp]:
    """Return what tells whether these files, or those in the directories beside them, have changed since."""
    found = []
    for path in paths:
        for each in (path, f"{path}.d", *(f"{path}.d/{name}" for name in _names(f"{path}.d"))):
            try:
                status = os.stat(each)
            except OSError:
                continue
            found.append((each, status.st_ino, status.st_size, status.st_mtime_ns))
    return found


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def read_file(path: str) -> bytes | None:
    """The content of the file, None if there is none; ConfigError if refused, ReadError if reading fails."""
    try:
        # Opening a FIFO or a terminal must neither wait nor change anything before it can be looked at.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        _raise_unless_absent(path, error)
        return None
    try:
        _refuse_unfit(path, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def _drop_ins(path: str) -> list[Source] | None:
    """The files in the directory beside ``path``, in order of name; None without such a directory."""
    directory = f"{path}.d"
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        _raise_unless_absent(directory, error)
        return None
    paths = [f"{directory}/{name}" for name in names if name.endswith(".conf") and not name.startswith(".")]
    contents = [(path, read_file(path)) for path in paths]
    return [(path, data) for path, data in contents if data is not None]


def _refuse_unfit(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, "this is not a regular file", "put a file of text there")
    if status.st_size > SIZE_LIMIT:
        raise _refused(path, f"the file is larger than {SIZE_LIMIT >> 20} MiB", "split it, or remove what is not ours")
    if os.geteuid() == 0:
        # the real path too: behind a link, ".." is not what it looks like
        for each in sorted(on_the_way([os.path.abspath(path), os.path.realpath(path)])):
            _refuse_untrusted(each, os.lstat(each))
        _refuse_untrusted(path, status)  # if the file was another one a moment ago


def _refuse_untrusted(path: str, status: os.stat_result) -> None:
    found = weakness(path, status, others_may_add=True)
    if not found or (found == GROUP and status.st_gid == 0):
        return
    from nethook.shell import word  # noqa: PLC0415 - only where something is wrong

    if found == OWNER:
        what = f"belongs to user {status.st_uid}, not to root"
        if stat.S_ISDIR(status.st_mode) and not path.startswith("/etc/"):  # somebody's own, such as their home
            raise _refused(path, what, "keep the file in a folder of root's, such as /etc/nethook")
        how = "chown -h" if stat.S_ISLNK(status.st_mode) else "chown"
        raise _refused(path, what, f"run: {how} root {word(path)}")
    if found == ACL:
        what = "others than root may write to it, by its access control list"
        raise _refused(path, what, f"run: setfacl -b {word(path)}")
    raise _refused(path, "others than root may write to it", f"run: chmod go-w {word(path)}")


def _raise_unless_absent(path: str, error: OSError) -> None:
    is_absent = isinstance(error, (FileNotFoundError, NotADirectoryError))
    # Where a symlink leads nowhere, somebody wants a file to be: its file system may not be mounted.
    if is_absent and os.path.islink(path):
        raise ReadError(one_line(f"{path}: is a link to {os.readlink(path)}, where nothing is")) from error
    if not is_absent:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> ReadError:
    return ReadError(one_line(f"{path}: cannot be read: {error.strerror}"))


def _refused(path: str, what: str, advice: str) -> ConfigError:
    return ConfigError([Problem(Place(path), what, advice)])
