"""The station of the programs that runs need: nft and ip."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, Finding
from nethook.host.process import Call, ToolMissingError
from nethook.parts.binding import NEEDED_NFT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.doctor.facts import Target
    from nethook.host.process import Tools

STATION = "tools"
NEEDED = {"nft": ("--version",), "ip": ("-V",)}
ADVICE = "install a newer nftables, or leave guest= out"


def why_it_cannot_bind(tools: Tools) -> str:
    """Return the reason why this nft is too old for lines with ``guest=``; '' if it is not, or is unknown.

    Everything else works with an old nft.
    """
    found = _version(tools)
    if not found or _numbers(found) >= _numbers(NEEDED_NFT):
        return ""
    return f"nft {found} cannot bind an address to its guest, {NEEDED_NFT} and later can"


def _version(tools: Tools) -> str:
    """Return the version of nft; '' if it is unknown."""
    try:
        said = tools.run(Call(("nft", "--version"))).out
    except ToolMissingError:
        return ""
    found = re.search(r"\bv(\d+(?:\.\d+)*)", said)
    return found[1] if found else ""


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def tools(runner: Tools) -> Iterator[Finding]:
    """Yield whether the programs that every run needs are installed, and their versions."""
    versions = []
    for tool, arguments in NEEDED.items():
        try:
            result = runner.run(Call((tool, *arguments)))
        except ToolMissingError as error:
            yield Finding(FAILURE, STATION, str(error), advice=f"install the package with the program {tool}")
            continue
        if result.status == 0:
            versions.append(result.out.partition("\n")[0].strip())
        else:
            yield Finding(FAILURE, STATION, result.failure, advice=f"reinstall {tool}")
    if versions:
        yield Finding(OK, STATION, "; ".join(versions))


def tool_for_binding(about: Iterable[Target], runner: Tools) -> Iterator[Finding]:
    """Yield a failure if a target is bound to a guest and nft is too old for that."""
    bound = [target.name for target in about if target.line.guest]
    why = why_it_cannot_bind(runner) if bound else ""
    if why:
        yield Finding(FAILURE, STATION, why, advice=ADVICE, addresses=bound)
