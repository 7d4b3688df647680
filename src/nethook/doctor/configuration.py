"""The first station: the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config import load
from nethook.config.text import some
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.errors import ConfigError, ReadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.config import Configuration, RoutedIP
    from nethook.config.text import Problem
    from nethook.engine.situation import Asked
    from nethook.host import Host

STATION = "configuration"
RUN = "run: "
MOST_NAMED = 3


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
    number = len(configuration.routed_ips) + len(configuration.forwards)
    return Finding(OK, STATION, f"{number} line{'s' * (number != 1)} without mistakes")


def mistakes(problems: Iterable[Problem], wanted: Sequence[Asked], lost: Sequence[Asked]) -> Iterator[Finding]:
    """Yield the wrong lines that concern what is ``wanted``, or all of them if ``wanted`` is empty.

    ``lost`` is what has no right line. A wrong line without a readable prefix may be meant for any of it. If nothing is
    lost, such a line is only a warning, and so is one at an address of which only other ports are wanted.
    """
    named = [problem for problem in problems if problem.prefix]
    about = {problem: [asked.text for asked in lost if _overlap(problem, asked)] for problem in named}
    affected = {text for texts in about.values() for text in texts}
    unnamed = [asked.text for asked in lost if asked.text not in affected]
    for problem in problems:
        if problem.prefix is None:
            yield _problem(problem, FAILURE if unnamed or not wanted else WARNING, unnamed)
            continue
        concerned = [asked for asked in wanted if _overlap(problem, asked)]
        if concerned or not wanted:
            is_certain = not wanted or any(not asked.ports or asked in lost for asked in concerned)
            yield _problem(problem, FAILURE if is_certain else WARNING, about[problem] or [problem.prefix.text])


def _overlap(problem: Problem, asked: Asked) -> bool:
    return problem.prefix is not None and asked.prefix.overlaps(problem.prefix)


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


def hidden(configuration: Configuration, wanted: Sequence[Asked], file: str) -> Iterator[Finding]:
    """Yield the lines of files that are ignored because another file comes first."""
    by_file: dict[str, list[RoutedIP]] = {}
    for line in configuration.hidden.values():
        if not wanted or any(asked.prefix.lies_in(line.prefix) for asked in wanted):
            by_file.setdefault(line.place.file, []).append(line)
    for ignored, lines in by_file.items():
        texts = [line.prefix.text for line in lines]
        text = f"{ignored} is ignored, because another file comes first; it alone has lines for "
        text += some(texts, MOST_NAMED)
        names = [asked.text for asked in wanted if any(asked.prefix.lies_in(line.prefix) for line in lines)]
        verdict = FAILURE if wanted else WARNING
        yield Finding(verdict, STATION, text, advice=f"move these lines to {file}", addresses=names)


def lines_lacking(lost: Iterable[Asked], file: str) -> Iterator[Finding]:
    """Yield a failure for each of these, which no line names."""
    for asked in lost:
        if asked.ports:
            around, line = "", f"`{asked.text}  NETWORK guest=GUEST` to forwarded-ports(5)"
        else:
            around, line = (
                ", nor a prefix around it",
                f"`{asked.text}  NETWORK` to {file}, or one to forwarded-ports(5)",
            )
        yield Finding(
            FAILURE,
            STATION,
            f"no line of the files names {asked.text}{around}",
            advice=f"add the line {line}, and run nethook apply",
            addresses=[asked.text],
        )
