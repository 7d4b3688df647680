"""The source of changed files, on a kernel that refuses to watch."""

from __future__ import annotations

from pathlib import Path

import pytest

from nethook.host.inotify import Inotify
from nethook.watch.files import Files
from nethook.watch.source import Interests


def test_a_source_that_cannot_be_opened_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """root may have few instances of inotify, and the source is opened again and again."""
    closed = []

    class Refusing(Inotify):
        """Watches nothing, as when the user's watches are used up."""

        def watch(self, folder: str) -> bool:
            raise OSError(28, "No space left on device", folder)

        def close(self) -> None:
            closed.append(self.fileno())
            super().close()

    monkeypatch.setattr("nethook.watch.files.Inotify", Refusing)
    with pytest.raises(OSError, match="No space left"):
        Files()
    assert len(closed) == 1


def test_what_a_link_in_a_folder_of_parts_leads_to_is_watched(tmp_path: Path) -> None:
    """As GNU Stow and NixOS put files there."""
    file, elsewhere = tmp_path / "etc" / "routed-ips", tmp_path / "store"
    parts = Path(f"{file}.d")
    for folder in (parts, elsewhere):
        folder.mkdir(parents=True)
    (elsewhere / "lines").write_text("")
    (elsewhere / "other").write_text("")
    (parts / "10-web").symlink_to(elsewhere / "lines")
    source = Files()
    source.follow(Interests(files=[str(file)]))
    (elsewhere / "other").write_text("x")
    assert [*source.read()] == []
    (elsewhere / "lines").write_text("203.0.113.10 public")
    assert [*source.read()] == [f"{elsewhere}/lines changed"]
    (parts / "20-mail").write_text("")
    assert [*source.read()] == [f"{parts}/20-mail changed"]
    (parts / "10-web").unlink()
    assert [*source.read()] == [f"{parts}/10-web changed"]
    (elsewhere / "lines").write_text("")
    assert [*source.read()] == []
    source.close()
