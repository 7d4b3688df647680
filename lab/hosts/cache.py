"""What takes long to build and does not depend on a test run: built once, kept outside the repository."""

import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import Callable

from lab.hosts.locking import locked

UNUSED_DAYS = 7


def home() -> Path:
    """The folder of everything that is kept, made when missing."""
    place = Path(os.environ.get("NETHOOK_CACHE") or "~/.cache/libvirt-nethook-helper").expanduser()
    place.mkdir(parents=True, exist_ok=True)
    return place


def cached(name: str, recipe: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` as `build` fills it; built when it is missing or `recipe` (any text) has changed.

    Runs that need it at the same time build it once. An interrupted build is never used.
    """
    place = home() / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with locked(home() / f"{name}.lock"):
        if not place.exists():
            unfinished = home() / f"{place.name}.building"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            build(unfinished)
            unfinished.rename(place)
        os.utime(place)
        _forget_unused(name)
    return place


def _forget_unused(name: str) -> None:
    """Other recipes of the same name may belong to another working tree, so they get some days."""
    for place in home().glob(f"{name}-*"):
        if time.time() - place.stat().st_mtime > UNUSED_DAYS * 86400:
            shutil.rmtree(place)
