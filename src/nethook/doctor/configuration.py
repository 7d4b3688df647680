"""The stations before all others: the files, libvirt, and the tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config import load
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.nft_version import ADVICE, why_it_cannot_bind
from nethook.errors import ConfigError, ReadError
from nethook.host.process import Call, ToolMissingError
from nethook.parts import flows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.config import Configuration, RoutedIP
    from nethook.config.problem import Problem
    from nethook.doctor.host import Target
    from nethook.host.host import Host
    from nethook.host.process import Tools
    from nethook.net.prefix import Prefix

STATION = "configuration"
RUN = "run: "
NEEDED = {"nft": ("--version",), "ip": ("-V",)}


def files() -> tuple[Configuration | None, list[Finding]]:
    """The configuration; None where it cannot be relied on, and why."""
    try:
        return load(), []
    except ConfigError as error:
        return None, [_problem(problem) for problem in error.problems]
    except ReadError as error:
        return None, [Finding(FAILURE, STATION, str(error), advice="nothing is changed as long as it is so")]


def sound(configuration: Configuration) -> Finding:
    """What is said of files with nothing wrong in them."""
    return Finding(OK, STATION, f"{len(configuration.routed_ips)} lines, nothing is wrong with them")


def mistakes(problems: Iterable[Problem], wanted: Sequence[Prefix], lost: Sequence[Prefix]) -> Iterator[Finding]:
    """Wrong lines, as far as they concern what is ``wanted`` (nothing: everything); ``lost`` is what has no right line.

    A line that names no prefix may be meant for any that is lost, and is the cause of nothing where none is.
    """
    named = [problem for problem in problems if problem.prefix]
    about = {problem: [prefix.text for prefix in lost if _overlap(problem, prefix)] for problem in named}
    told = {text for texts in about.values() for text in texts}
    unnamed = [prefix.text for prefix in lost if prefix.text not in told]
    for problem in problems:
        if problem.prefix is None:
            yield _problem(problem, FAILURE if unnamed or not wanted else WARNING, unnamed)
        elif not wanted or any(_overlap(problem, prefix) for prefix in wanted):
            yield _problem(problem, FAILURE, about[problem] or [problem.prefix.text])


def _overlap(problem: Problem, prefix: Prefix) -> bool:
    return problem.prefix is not None and prefix.overlaps(problem.prefix)


def _problem(problem: Problem, verdict: str = FAILURE, addresses: Iterable[str] = ()) -> Finding:
    command = problem.advice[len(RUN) :] if problem.advice.startswith(RUN) else ""
    return Finding(
        verdict,
        STATION,
        f"{problem.place}: {problem.what}",
        command=command,
        advice="" if command else problem.advice,
        addresses=addresses,
    )


def lines_lacking(lost: Iterable[Prefix], file: str) -> Iterator[Finding]:
    """Addresses in question that no line names."""
    for prefix in lost:
        yield Finding(
            FAILURE,
            STATION,
            f"no line of the files names {prefix}, nor a prefix around it",
            advice=f"write the line `{prefix}  NETWORK` into {file}, and run nethook apply",
            addresses=[prefix.text],
        )


def tools(runner: Tools) -> Iterator[Finding]:
    """Whether what every run needs is installed, and in which version."""
    versions = []
    for tool, arguments in NEEDED.items():
        try:
            result = runner.run(Call((tool, *arguments)))
        except ToolMissingError as error:
            yield Finding(FAILURE, "tools", str(error), advice=f"install the package that brings {tool}")
            continue
        if result.status == 0:
            versions.append(result.out.partition("\n")[0].strip())
        else:
            yield Finding(FAILURE, "tools", result.failure, advice=f"install {tool} anew")
    if versions:
        yield Finding(OK, "tools", "; ".join(versions))


def tool_for_binding(about: Iterable[Target], runner: Tools) -> Iterator[Finding]:
    """Whether nft can keep an address to its guest."""
    bound = [target.name for target in about if target.line.guest]
    why = why_it_cannot_bind(runner) if bound else ""
    if why:
        yield Finding(FAILURE, "tools", why, advice=ADVICE, addresses=bound)


def tool_for_flows(lines: Iterable[RoutedIP], host: Host) -> Iterator[Finding]:
    """Whether connections of an address can be ended that is bound to another guest now."""
    if any(line.guest for line in lines) and not flows.can_be_deleted(host):
        text = f"the program {flows.TOOL} is not installed: when an address moves, its old connections go on"
        yield Finding(WARNING, "tools", text, advice=f"install {flows.TOOL} (on Fedora and RHEL: conntrack-tools)")
