"""The page for Cockpit, as far as its sources tell: translations, and what it loads."""

from __future__ import annotations

import json
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "cockpit"
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((PAGE / "src").glob("*.js*")))
STRING = r'"((?:[^"\\]|\\.)*)"'
MOST_LINES = 250


def messages() -> set[str]:
    """What the page says, as it stands in its sources."""
    single = set(re.findall(rf"(?<!\w)_\({STRING}\)", SOURCES))
    plural = {text for pair in re.findall(rf"ngettext\({STRING}, {STRING},", SOURCES) for text in pair}
    labels = {menu["label"] for menu in json.loads((PAGE / "src/manifest.json").read_text())["menu"].values()}
    return single | plural | labels


def test_the_german_translation_is_complete() -> None:
    text = (PAGE / "po/de.po").read_text(encoding="utf-8")
    entries = [entry for entry in text.split("\n\n")[1:] if entry]
    found = {text for entry in entries for text in re.findall(rf"^msgid(?:_plural)? {STRING}$", entry, re.MULTILINE)}
    assert found == messages()
    said = re.findall(rf"^msgstr.* {STRING}$", "\n".join(entries), re.MULTILINE)
    assert all(said)
    for entry in entries:
        (asked, *_), answers = (
            re.findall(rf"^msgid.* {STRING}$", entry, re.M),
            re.findall(rf"^msgstr.* {STRING}$", entry, re.M),
        )
        holes = set(re.findall(r"\$\d", asked))
        assert all(set(re.findall(r"\$\d", answer)) == holes for answer in answers), entry


def test_every_text_is_found_by_the_test_above() -> None:
    calls = len(re.findall(r"(?<!\w)_\(", SOURCES)) + len(re.findall(r"(?<!\w)ngettext\(", SOURCES))
    plain = len(re.findall(rf"(?<!\w)_\({STRING}\)", SOURCES)) + len(
        re.findall(rf"ngettext\({STRING}, {STRING},", SOURCES)
    )
    assert calls == plain


def test_nothing_of_it_is_inline_or_from_elsewhere() -> None:
    html = (PAGE / "src/index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]* src=)|<style| on\w+=| style=|https?:", html) == []
    assert "dangerouslySetInnerHTML" not in SOURCES
    assert "cockpit.script" not in SOURCES


def test_the_lock_file_names_no_registry() -> None:
    text = (PAGE / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in re.sub(r'"url": "[^"]*"', "", text)
    assert '"resolved"' not in text


def test_modules_are_small() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (PAGE / "src").glob("*.js*")}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}
