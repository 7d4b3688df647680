"""Running a program in a root that is not booted: on an overlay that ends with the program."""

from __future__ import annotations

from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.processes import Argument

WORK = "/work"
"""Where the program sees the folder that it works in."""

# Arguments: the layers below, a folder for mounts, the folder to work in, the program.
ENTER = f"""
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/scratch" "$1/root"
mount -t overlay overlay -o "volatile,lowerdir=$0,upperdir=$1/upper,workdir=$1/scratch" "$1/root"
mount -t proc proc "$1/root/proc"
mkdir "$1/root{WORK}"
mount --bind "$2" "$1/root{WORK}"
root="$1/root"
shift 2
exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"
"""


@contextmanager
def inside(layers: str, folder: Path) -> Iterator[list[Argument]]:
    """Have the beginning of a command: what follows runs in the root of these layers, with the folder at WORK."""
    with TemporaryDirectory(prefix="nethook-root-") as mounts:
        yield ["unshare", "--mount", "sh", "-ec", ENTER, layers, mounts, folder]
