"""Finding the files, and reading them.

- Only "no such file" means that a file does not exist. Any other failure stops the run: mistaken for an empty file, it
  would withdraw all addresses of the host.
- The files decide which packets reach which guest. So root refuses a file that another user may change, or may swap by
  writing to a directory or a link on the way to it.
- Only regular files are read: a FIFO would block libvirt until the time-out of the hook.
"""

from __future__ import annotations

import os
import stat

from nethook.config.text import Place, Problem, one_line
from nethook.errors import ConfigError, NethookError, ReadError
from nethook.host.files import ACL, GROUP, OWNER, on_the_way, weakness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Source = tuple[str, bytes]
    Stamp = tuple[str, int, int, int]
    """The state of a file: path, inode, size, and time of the last change in nanoseconds."""

# A hundred times the size of 10,000 lines. Nobody writes a larger file by hand.
SIZE_LIMIT = 16 << 20


def find_routed_ips(chosen: str | None, search: Sequence[str]) -> list[Source]:
    """Return names and contents of the files that list routed IPs.

    The file is ``chosen``, the one in the settings, which must exist; or else the first of ``search`` that exists.
    After it come all ``*.conf`` in the directory of the same name with ``.d``. That directory may also exist without
    the file. ConfigError for a file that is refused, ReadError for one that cannot be read.
    """
    if chosen:
        data = read_file(chosen)
        if data is None:
            raise _refused(
                chosen,
                "this file, which the setting routed-ips names, does not exist",
                "create it, or remove the setting",
            )
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
    """Return names and contents of the files of ``search`` that are ignored because another one comes first.

    A file that cannot be read or trusted is left out.
    """
    sources = []
    for path in existing_files(search)[1:]:
        try:
            data = read_file(path) if path in search else None
            sources += [(path, data)] if data is not None else []
            sources += _drop_ins(path if path in search else path[: -len(".d")]) or []
        except NethookError:
            continue
    return sources


def existing_files(search: Sequence[str]) -> list[str]:
    """Return the existing files of ``search``, then the directories without such a file. Only the first one is read."""
    files = [path for path in search if os.path.exists(path)]
    return files + [f"{path}.d" for path in search if path not in files and os.path.isdir(f"{path}.d")]


def file_for_lines(search: Sequence[str]) -> str:
    """Return the file of ``search`` for a new line: the one that is read, or the first whose folder exists."""
    for path in existing_files(search):
        return path[: -len(".d")] if path not in search else path
    return next((path for path in search if os.path.isdir(os.path.dirname(path))), search[0])


def stamp(paths: Iterable[str]) -> list[Stamp]:
    """Return the state of these files and of those in their ``.d`` directories, to see later if one has changed."""
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
    """Return the content of the file, None if it does not exist. ConfigError if refused, ReadError if unreadable."""
    try:
        # The path may be a FIFO or a terminal: opening it must neither wait nor have an effect.
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
    """Return names and contents of the ``*.conf`` in the directory ``path``.d, sorted; None without that directory."""
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
        advice = "split it, or remove what does not belong in it"
        raise _refused(path, f"the file is larger than {SIZE_LIMIT >> 20} MiB", advice)
    if os.geteuid() == 0:
        # Both paths, because ".." after a link leads elsewhere than it seems.
        for each in sorted(on_the_way([os.path.abspath(path), os.path.realpath(path)])):
            _refuse_untrusted(each, os.lstat(each))
        _refuse_untrusted(path, status)  # the open file, which somebody may have swapped meanwhile


def _refuse_untrusted(path: str, status: os.stat_result) -> None:
    found = weakness(path, status, others_may_add=True)
    if not found or (found == GROUP and status.st_gid == 0):
        return
    from nethook.shell import word  # noqa: PLC0415 - only where something is wrong

    if found == OWNER:
        what = f"belongs to user {status.st_uid}, not to root"
        if stat.S_ISDIR(status.st_mode) and not path.startswith("/etc/"):  # a user's folder, such as their home
            raise _refused(path, what, "keep the file in a folder of root, such as /etc/nethook")
        how = "chown -h" if stat.S_ISLNK(status.st_mode) else "chown"
        raise _refused(path, what, f"run: {how} root {word(path)}")
    if found == ACL:
        what = "its access control list lets users other than root write to it"
        raise _refused(path, what, f"run: setfacl -b {word(path)}")
    raise _refused(path, "users other than root may write to it", f"run: chmod go-w {word(path)}")


def _raise_unless_absent(path: str, error: OSError) -> None:
    is_absent = isinstance(error, (FileNotFoundError, NotADirectoryError))
    # A broken symlink means that a file should exist: its file system may not be mounted yet.
    if is_absent and os.path.islink(path):
        raise ReadError(one_line(f"{path}: is a link to {os.readlink(path)}, which does not exist")) from error
    if not is_absent:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> ReadError:
    return ReadError(one_line(f"{path}: cannot be read: {error.strerror}"))


def _refused(path: str, what: str, advice: str) -> ConfigError:
    return ConfigError([Problem(Place(path), what, advice)])
