"""The page for Cockpit, which is built before a release, because the clean root has neither a network nor node."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.hosts.cache import cached
from lab.packages.sources import REPOSITORY, copy
from lab.processes import run

SOURCE = "cockpit"
MADE = f"{SOURCE}/dist"
"""Where the page is in the source archive, and in the working tree after `make cockpit`."""
AXE = "axe.min.js"
"""What finds faults of accessibility in a page. It is for tests, and not in a release."""


def build_page(folder: Path) -> None:
    """Build the page of the working tree into this folder, from what its package-lock.json names."""
    with TemporaryDirectory(prefix="nethook-page-") as temporary:
        copy(Path(temporary), SOURCE)
        source = Path(temporary) / SOURCE
        run(["npm", "--prefix", source, "ci", "--no-progress"], timeout=600)
        run(["node", source / "build.js", folder / "page"], timeout=300)
        shutil.copy(source / "node_modules/axe-core" / AXE, folder)


def built() -> Path:
    """Return a folder with ``page`` and AXE, built if the cache does not have it. Never write there."""
    with TemporaryDirectory(prefix="nethook-page-") as temporary:
        copy(Path(temporary), SOURCE)
        files = {str(path.relative_to(temporary)): path for path in Path(temporary).rglob("*") if path.is_file()}
        files["builder"] = Path(__file__)
        sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} {name}" for name, path in sorted(files.items())]
    return cached("page", "\n".join(sums), build_page)


def put_page(folder: Path) -> None:
    """Put the built page where a source archive in this folder has it."""
    shutil.rmtree(folder / MADE, ignore_errors=True)
    shutil.copytree(built() / "page", folder / MADE)


def main() -> None:
    """Build the page for the working tree."""
    put_page(REPOSITORY)
    print(REPOSITORY / MADE)


if __name__ == "__main__":
    main()
