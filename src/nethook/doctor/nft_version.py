"""Whether this nft is too old for ``guest=``. All else works with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nethook.host.process import Call, ToolMissingError
from nethook.parts.tables.binding import NEEDED_NFT

if TYPE_CHECKING:
    from nethook.host.process import Tools

ADVICE = "install a newer nftables, or leave guest= out"


def why_it_cannot_bind(tools: Tools) -> str:
    """What keeps lines with ``guest=`` from being put in force; '' if nothing does, or the version is not known."""
    found = _version(tools)
    if not found or _numbers(found) >= _numbers(NEEDED_NFT):
        return ""
    return f"nft {found} cannot keep an address to its guest, {NEEDED_NFT} and later can"


def _version(tools: Tools) -> str:
    """That of nft; '' if it is not known."""
    try:
        said = tools.run(Call(("nft", "--version"))).out
    except ToolMissingError:
        return ""
    found = re.search(r"\bv(\d+(?:\.\d+)*)", said)
    return found[1] if found else ""


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]
