"""Whether this nft is too old for ``guest=``. All else works with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.host.process import Call, ToolMissingError
from nethook.parts import flows
from nethook.parts.tables.binding import NEEDED_NFT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.config import RoutedIP
    from nethook.doctor.facts import Target
    from nethook.host.host import Host
    from nethook.host.process import Tools

STATION = "tools"
NEEDED = {"nft": ("--version",), "ip": ("-V",)}
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


def tools(runner: Tools) -> Iterator[Finding]:
    """Whether what every run needs is installed, and in which version."""
    versions = []
    for tool, arguments in NEEDED.items():
        try:
            result = runner.run(Call((tool, *arguments)))
        except ToolMissingError as error:
            yield Finding(FAILURE, STATION, str(error), advice=f"install the package that brings {tool}")
            continue
        if result.status == 0:
            versions.append(result.out.partition("\n")[0].strip())
        else:
            yield Finding(FAILURE, STATION, result.failure, advice=f"install {tool} anew")
    if versions:
        yield Finding(OK, STATION, "; ".join(versions))


def tool_for_binding(about: Iterable[Target], runner: Tools) -> Iterator[Finding]:
    """Whether nft can keep an address to its guest."""
    bound = [target.name for target in about if target.line.guest]
    why = why_it_cannot_bind(runner) if bound else ""
    if why:
        yield Finding(FAILURE, STATION, why, advice=ADVICE, addresses=bound)


def tool_for_flows(lines: Iterable[RoutedIP], host: Host) -> Iterator[Finding]:
    """Whether connections of an address can be ended that is bound to another guest now."""
    if any(line.guest for line in lines) and not flows.can_be_deleted(host):
        text = f"the program {flows.TOOL} is not installed: when an address moves, its old connections go on"
        yield Finding(WARNING, STATION, text, advice=f"install {flows.TOOL} (on Fedora and RHEL: conntrack-tools)")
