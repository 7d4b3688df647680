"""The source of a release: a copy of the working tree, its version and its time."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import tarfile
from email.utils import parsedate_to_datetime
from pathlib import Path

from lab.processes import run
from nethook import __version__

REPOSITORY = Path(__file__).parents[2]
NAME = "libvirt-nethook-helper"
DEBIAN = "packaging/debian"
SPEC = f"packaging/{NAME}.spec"
RPMLINT = "packaging/rpmlint.toml"
IN_RELEASE = (
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "src",
    "packaging",
    "docs",
    "cockpit",
)

TOP = f"{NAME.replace('-', '_')}-{__version__}"
"""Name and folder of the source archive, as PEP 625 has it."""


def released() -> int:
    """Return the time of the release, in seconds since 1970: that of Debian's changelog."""
    text = (REPOSITORY / DEBIAN / "changelog").read_text(encoding="utf-8")
    (at,) = re.findall(r"^ -- .*>  (.*)$", text, flags=re.MULTILINE)[:1]
    return int(parsedate_to_datetime(at).timestamp())


def copy(folder: Path, *parts: str) -> None:
    """Copy what a release has, or these parts of it, into a folder, without what builds have left in the working tree.

    Files have the same mode everywhere, whatever the umask was when they were checked out.
    """
    listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *(parts or IN_RELEASE)]
    for name in run(["git", "-C", str(REPOSITORY), *listed]).stdout.split("\0"):
        source = REPOSITORY / name
        if name and source.exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)
            (folder / name).chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def normal(archive: Path, made: Path) -> None:
    """Write a tar archive anew: sorted, as old as the release, owned by root, in a folder with the right name."""
    text, at = io.BytesIO(), released()
    with tarfile.open(archive) as old, tarfile.open(fileobj=text, mode="w", format=tarfile.GNU_FORMAT) as new:
        top = old.getnames()[0].split("/")[0]
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = at, 0, 0, "root", "root"
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            member.pax_headers = {}
            member.name = member.name.replace(top, TOP, 1)
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    with made.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=at) as packed:
        packed.write(text.getvalue())
