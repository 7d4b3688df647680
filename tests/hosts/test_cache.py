"""The cache of what takes long to build."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path

import pytest

from lab.hosts.cache import cached
from lab.hosts.locking import take_one


class Builder:
    """Builds a folder with one file and counts how often it had to."""

    def __init__(self) -> None:
        self.builds = 0

    def __call__(self, folder: Path) -> None:
        self.builds += 1
        (folder / "content").write_text("built")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETHOOK_CACHE", str(tmp_path))


def test_built_once_for_all_who_ask_at_the_same_time() -> None:
    build = Builder()
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: cached("root", "recipe", build), range(8)))
    assert build.builds == 1
    assert len(set(folders)) == 1
    assert (folders[0] / "content").read_text() == "built"


def test_built_again_when_the_recipe_changed() -> None:
    build = Builder()
    first = cached("root", "recipe", build)
    second = cached("root", "another recipe", build)
    assert build.builds == 2
    assert first != second


def test_interrupted_build_is_never_used() -> None:
    def interrupted(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("root", "recipe", interrupted)
    folder = cached("root", "recipe", Builder())
    assert [path.name for path in folder.iterdir()] == ["content"]


def test_who_finds_no_place_waits_for_one(tmp_path: Path) -> None:
    places = [tmp_path / "place-0", tmp_path / "place-1"]
    held = [take_one(places), take_one(places)]
    assert {file.name for file in held} == {str(place) for place in places}
    with ThreadPoolExecutor(1) as pool:
        third = pool.submit(take_one, places)
        with pytest.raises(FutureTimeoutError):
            third.result(timeout=0.5)
        held[1].close()
        third.result(timeout=60).close()
    held[0].close()
