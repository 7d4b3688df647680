"""Whether this nft is too old for ``guest=``.

Before 1.0.3 it has no sets of pairs in which one part is found at an offset in the packet, as the address within a
neighbour message is: "can not use variable sized data types (integer) in concat expressions". All else works.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nethook.kernel.process import Call, ToolMissingError

if TYPE_CHECKING:
    from nethook.kernel.process import Tools

BINDS = (1, 0, 3)
ADVICE = "install a newer nftables, or leave guest= out"


def why_it_cannot_bind(tools: Tools) -> str:
    """What keeps lines with ``guest=`` from being put in force; '' if nothing does, or the version is not known."""
    found = _version(tools)
    if not found or found >= BINDS:
        return ""
    return f"nft {_text(found)} cannot keep an address to its guest, {_text(BINDS)} and later can"


def _version(tools: Tools) -> tuple[int, ...]:
    """That of nft; empty if it is not known."""
    try:
        said = tools.run(Call(("nft", "--version"))).out
    except ToolMissingError:
        return ()
    found = re.search(r"\bv(\d+(?:\.\d+)*)", said)
    return tuple(map(int, found[1].split("."))) if found else ()


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
