"""The text of the hook file, for one installation."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

PACKAGE = Path(__file__).resolve().parents[1]


def stub(python: str, packages: str) -> str:
    """The text of the hook file that runs this Python with the packages of this folder, and nothing besides."""
    text = (PACKAGE / "lv-setup-routed-ips").read_text(encoding="utf-8")
    for name, value in (("python", python), ("packages", packages)):
        text = text.replace(f"\n{name}=\n", f"\n{name}={quote(value)}\n", 1)
    return text
