"""The first station: the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config import load
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.errors import ConfigError, ReadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.config import Configuration
    from nethook.config.text import Problem
    from nethook.host import Host
    from nethook.prefix import Prefix

STATION = "configuration"
RUN = "run: "


def files(host: Host) -> tuple[Configuration | None, list[Finding]]:
    """Return the configuration, or None and the findings that tell why it cannot be relied on."""
    try:
        return load(host), []
    except ConfigError as error:
        return None, [_problem(problem) for problem in error.problems]
    except ReadError as error:
        return None, [Finding(FAILURE, STATION, str(error), advice="until this is repaired, nethook changes nothing")]


def sound(configuration: Configuration) -> Finding:
    """Return the finding for files without mistakes."""
    number = len(configuration.routed_ips)
    return Finding(OK, STATION, f"{number} line{'s' * (number != 1)} without mistakes")


def mistakes(problems: Iterable[Problem], wanted: Sequence[Prefix], lost: Sequence[Prefix]) -> Iterator[Finding]:
    """Yield the wrong lines that concern the prefixes in ``wanted``, or all of them if ``wanted`` is empty.

    ``lost`` are the wanted prefixes without a right line. A wrong line without a readable prefix may be meant for any
    of them. If none is lost, such a line is only a warning.
    """
    named = [problem for problem in problems if problem.prefix]
    about = {problem: [prefix.text for prefix in lost if _overlap(problem, prefix)] for problem in named}
    affected = {text for texts in about.values() for text in texts}
    unnamed = [prefix.text for prefix in lost if prefix.text not in affected]
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
    """Yield a failure for each of these prefixes, which no line names."""
    for prefix in lost:
        yield Finding(
            FAILURE,
            STATION,
            f"no line of the files names {prefix}, nor a prefix around it",
            advice=f"add the line `{prefix}  NETWORK` to {file}, and run nethook apply",
            addresses=[prefix.text],
        )
