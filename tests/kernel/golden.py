"""Listings that are as they should be, in files beside the tests.

``NETHOOK_GOLDEN=write pytest tests/kernel/test_golden.py`` writes them anew; what has changed is then for git to show.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).with_name("golden")


def golden(name: str) -> str:
    """The listing of that name."""
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def check(name: str, listing: str) -> None:
    """The listing has to be as the file has it."""
    if os.environ.get("NETHOOK_GOLDEN") == "write":
        (FOLDER / f"{name}.txt").write_text(listing, encoding="utf-8")
    assert listing == golden(name)
