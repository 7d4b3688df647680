"""Finding the files, and what to say about one that cannot be read or must not be."""

from __future__ import annotations

import stat

from nethook.config.text import Place, Problem, one_line
from nethook.errors import ConfigError, NethookError, ReadError
from nethook.host.files import ACL, BROKEN_LINK, NOT_REGULAR, OWNER, SIZE_LIMIT, TOO_LARGE, UnfitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host import Host

    File = tuple[str, bytes]


def find_files(host: Host, setting: str, chosen: str | None, search: Sequence[str]) -> list[File]:
    """Return names and contents of the files of one kind, such as those that list routed IPs.

    The file is ``chosen``, that of the ``setting``, which must exist; or else the first of ``search`` that exists.
    After it come all ``*.conf`` in the directory of the same name with ``.d``. That directory may also exist without
    the file. ConfigError for a file that is refused, ReadError for one that cannot be read.
    """
    if chosen:
        data = read_file(host, chosen)
        if data is None:
            raise _refused(
                chosen,
                f"this file, which the setting {setting} names, does not exist",
                "create it, or remove the setting",
            )
        return [(chosen, data), *(_drop_ins(host, chosen) or [])]
    for path in search:
        data = read_file(host, path)
        if data is not None:
            return [(path, data), *(_drop_ins(host, path) or [])]
    for path in search:
        sources = _drop_ins(host, path)
        if sources is not None:
            return sources
    return []


def hidden_files(host: Host, search: Sequence[str]) -> list[File]:
    """Return names and contents of the files of ``search`` that are ignored because another one comes first.

    A file that cannot be read or trusted is left out.
    """
    sources = []
    for path in existing_files(host, search)[1:]:
        try:
            data = read_file(host, path) if path in search else None
            sources += [(path, data)] if data is not None else []
            sources += _drop_ins(host, path if path in search else path[: -len(".d")]) or []
        except NethookError:
            continue
    return sources


def existing_files(host: Host, search: Sequence[str]) -> list[str]:
    """Return the existing files of ``search``, then the directories without such a file. Only the first one is read."""
    files = [path for path in search if host.has_file(path)]
    return files + [f"{path}.d" for path in search if path not in files and host.has_folder(f"{path}.d")]


def file_for_lines(host: Host, search: Sequence[str]) -> str:
    """Return the file of ``search`` for a new line: the one that is read, or the first whose folder exists."""
    for path in existing_files(host, search):
        return path[: -len(".d")] if path not in search else path
    return next((path for path in search if host.has_folder(path.rpartition("/")[0])), search[0])


def read_file(host: Host, path: str) -> bytes | None:
    """Return the content of the file, None if it does not exist. ConfigError if refused, ReadError if unreadable."""
    try:
        return host.trusted(path)
    except UnfitError as error:
        raise refusal(error) from None
    except OSError as error:
        raise _unreadable(path, error) from error


def _drop_ins(host: Host, path: str) -> list[File] | None:
    """Return names and contents of the ``*.conf`` in the directory ``path``.d, sorted; None without that directory."""
    directory = f"{path}.d"
    try:
        names = host.listing(directory)
    except UnfitError as error:
        raise refusal(error) from None
    except OSError as error:
        raise _unreadable(directory, error) from error
    if names is None:
        return None
    paths = [f"{directory}/{name}" for name in names if name.endswith(".conf") and not name.startswith(".")]
    contents = [(path, read_file(host, path)) for path in paths]
    return [(path, data) for path, data in contents if data is not None]


def refusal(error: UnfitError) -> NethookError:
    """Return what to say about a file that was not read, or not run, because of this."""
    path = error.path
    if error.why == BROKEN_LINK:
        return ReadError(one_line(f"{path}: is a link to {error.target}, which does not exist"))
    if error.why == NOT_REGULAR:
        return _refused(path, "this is not a regular file", "put a regular file there")
    if error.why == TOO_LARGE:
        advice = "split it, or remove what does not belong in it"
        return _refused(path, f"the file is larger than {SIZE_LIMIT >> 20} MiB", advice)
    return _refused(path, *_who_may_change_it(error))


def _who_may_change_it(error: UnfitError) -> tuple[str, str]:
    """Return why the path cannot be trusted, and what to do."""
    from nethook.shell import word  # noqa: PLC0415 - only where something is wrong

    path = error.path
    if error.why == OWNER:
        what = f"belongs to user {error.owner}, not to root"
        if stat.S_ISDIR(error.mode) and not path.startswith("/etc/"):  # a user's folder, such as their home
            return what, "keep the file in a folder of root, such as /etc/nethook"
        return what, f"run: {'chown -h' if stat.S_ISLNK(error.mode) else 'chown'} root {word(path)}"
    if error.why == ACL:
        return "its access control list lets users other than root write to it", f"run: setfacl -b {word(path)}"
    return "users other than root may write to it", f"run: chmod go-w {word(path)}"


def _unreadable(path: str, error: OSError) -> ReadError:
    return ReadError(one_line(f"{path}: cannot be read: {error.strerror}"))


def _refused(path: str, what: str, advice: str) -> ConfigError:
    return ConfigError([Problem(Place(path), what, advice)])
