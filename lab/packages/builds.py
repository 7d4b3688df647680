"""Builds: of the source archive and the wheel, of the deb, and of the rpm.

Each build has a folder, in which the clean root works, and which ends with it.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.hosts.cache import cached
from lab.hosts.roots import BUILD_PACKAGES, BUILD_SUITE
from lab.packages.clean_root import run_there
from lab.packages.page import put_page
from lab.packages.sources import DEBIAN, NAME, RPMLINT, SPEC, TOP, copy, normal
from nethook import __version__

SUMS = "SHA256SUMS"
SOURCE = f"{TOP}.tar.gz"

SDIST = "python3 -m build --sdist --no-isolation --outdir made source"
WHEEL = f"tar -xf {SOURCE} && python3 -m build --wheel --no-isolation --outdir made {TOP}"
DEB = f"""
mv {SOURCE} {NAME}_{__version__}.orig.tar.gz
tar -xf *.orig.tar.gz
mv debian {TOP}
(cd {TOP} && dpkg-buildpackage --unsigned-source --unsigned-changes)
mkdir made
cp *.deb made
lintian --allow-root --fail-on error,warning *.changes >made/lintian.txt || {{ cat made/lintian.txt; exit 1; }}
"""
# The macros are those that distributions set for the same end: the time and host of the build are not in the package.
RPM = """
rpmbuild -bb --nodeps --define "_topdir $PWD/top" --define "_sourcedir $PWD" --define "_buildhost localhost" \\
    --define "use_source_date_epoch_as_buildtime 1" --define "clamp_mtime_to_source_date_epoch 1" *.spec
mkdir made
mv top/RPMS/noarch/*.rpm made
rpmlint --config rpmlint.toml *.spec made/*.rpm >made/rpmlint.txt || { cat made/*.txt; exit 1; }
"""
LISTINGS = (".txt",)
"""What checkers print is not released."""


def source(made: Path) -> Path:
    """Build the source archive into a folder, and return its path."""
    with TemporaryDirectory(prefix="nethook-source-") as temporary:
        folder = Path(temporary)
        copy(folder / "source")
        put_page(folder / "source")
        run_there(SDIST, folder)
        (built,) = (folder / "made").iterdir()
        normal(built, made / SOURCE)
    return made / SOURCE


def wheel(made: Path) -> None:
    """Build the wheel of the source archive in this folder."""
    _build(WHEEL, made)


def deb(made: Path) -> None:
    """Build the deb of the source archive in this folder, and check it with lintian."""
    _build(DEB, made, (DEBIAN, "debian"))


def rpm(made: Path) -> None:
    """Build the rpm of the source archive in this folder, and check it with rpmlint."""
    _build(RPM, made, (SPEC, f"{NAME}.spec"), (RPMLINT, "rpmlint.toml"))


def _build(script: str, made: Path, *packaging: tuple[str, str]) -> None:
    """Run a script beside the source archive and what else it needs, and put what it has made beside the archive."""
    with TemporaryDirectory(prefix="nethook-build-") as temporary:
        folder = Path(temporary)
        (folder / "copy").mkdir()
        copy(folder / "copy")
        shutil.copy(made / SOURCE, folder)
        for part, name in packaging:
            (folder / "copy" / part).rename(folder / name)
        run_there(script, folder)
        for path in (folder / "made").iterdir():
            shutil.copy(path, made)


def release(made: Path) -> None:
    """Build everything, and write the sums."""
    source(made)
    for build in (wheel, deb, rpm):
        build(made)
    files = [path for path in sorted(made.iterdir()) if path.suffix not in LISTINGS and path.name != SUMS]
    (made / SUMS).write_text("".join(f"{_sum(path)}  {path.name}\n" for path in files), encoding="ascii")


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Build what the command line says, into dist/."""
    what = sys.argv[1]
    dist = Path("dist")
    dist.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="nethook-release-") as temporary:
        made = Path(temporary)
        if what != "release":
            source(made)
        {"deb": deb, "rpm": rpm, "release": release}[what](made)
        for path in sorted(made.iterdir()):
            print(shutil.copy(path, dist))


def released_here() -> Path:
    """Return a folder with the release of the working tree, built if the cache does not have it. Never write there."""
    with TemporaryDirectory(prefix="nethook-source-") as temporary:
        folder = Path(temporary)
        copy(folder)
        builders = sorted(Path(__file__).parent.glob("*.py"))
        files = {path: path.name for path in builders}
        files |= {path: str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()}
        sums = [f"{_sum(path)} {path.stat().st_mode & 0o100} {name}" for path, name in files.items()]
    return cached("release", "\n".join([BUILD_SUITE, BUILD_PACKAGES, *sums]), release)
