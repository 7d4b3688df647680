"""A package of a later version, for upgrades."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from lab.packages.sources import NAME
from lab.processes import run
from nethook import __version__
from nethook.install.package import DISTRIBUTED


def newer(deb: Path, version: str, folder: Path) -> Path:
    """Pack the same package into this folder as one of a later version, and return its path."""
    made = folder / f"{NAME}_{version}-1_all.deb"
    with TemporaryDirectory() as temporary:
        tree = Path(temporary) / "tree"
        run(["dpkg-deb", "--raw-extract", deb, tree])
        for path, old, new in (
            ("DEBIAN/control", f"Version: {__version__}-1\n", f"Version: {version}-1\n"),
            (f"{DISTRIBUTED[1:]}/nethook/__init__.py", f'"{__version__}"', f'"{version}"'),
        ):
            text = (tree / path).read_text(encoding="utf-8")
            assert old in text
            (tree / path).write_text(text.replace(old, new), encoding="utf-8")
        run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made])
    return made
