"""Metrics as Prometheus reads them: the text format 0.0.4. docs/metrics.md has a row for each.

https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nethook import __version__
from nethook.status.forward_states import STATES as STATES_OF_FORWARDS
from nethook.status.line_states import STATES as STATES_OF_LINES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nethook.engine.tally import Tally
    from nethook.status.forward_states import ForwardState
    from nethook.status.line_states import LineState
    from nethook.status.overview import Overview

    Sample = tuple[tuple[str, ...], float]
    """The values of the labels, and that of the metric."""

GAUGE, COUNTER = "gauge", "counter"
NANOSECONDS = 1_000_000_000
"""In a second. An integer: divided by a float, a time of today would lose its microseconds."""
FILES, LIBVIRT, KERNEL, FIREWALLS, RUNS = "files", "libvirt", "kernel", "firewalls", "runs"
SOURCES = (FILES, LIBVIRT, KERNEL, FIREWALLS, RUNS)
OF_OVERVIEW = frozenset((FILES, LIBVIRT, KERNEL))
"""The sources without which it is not known which lines are in force."""
ROUTED_IPS, FORWARDED_PORTS = "routed-ips", "forwarded-ports"
LINE = ("file", "line", "network")
ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Measured:
    """All that metrics tell: ``last_run`` is in nanoseconds since 1970, ``failures`` has a sentence for each source."""

    def __init__(self, overview: Overview, tally: Tally, last_run: int, failures: Mapping[str, str]) -> None:
        self.overview = overview
        self.tally = tally
        self.last_run = last_run
        self.failures = failures

    @property
    def has_overview(self) -> bool:
        """True if it is known which lines are in force."""
        return not OF_OVERVIEW & self.failures.keys()


class Metric(NamedTuple):
    """A metric: its name, type, meaning, the names of its labels, and what finds its samples."""

    name: str
    type: str
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Measured], Iterable[Sample]]

    def text(self, found: Measured) -> str:
        """Return its samples with its header; '' if it has none. Of several with the same labels, the last counts."""
        values = {tuple(map(_escaped, labels)): value for labels, value in self.samples(found)}
        if not values:
            return ""
        lines = [f"# HELP {self.name} {self.help}", f"# TYPE {self.name} {self.type}"]
        for labels, value in values.items():
            pairs = ",".join(f'{name}="{label}"' for name, label in zip(self.labels, labels))
            lines.append(f"{self.name}{{{pairs}}} {value}" if pairs else f"{self.name} {value}")
        return "".join(f"{line}\n" for line in lines)


def metrics_text(found: Measured) -> str:
    """Return the metrics."""
    return "".join(metric.text(found) for metric in METRICS)


def _escaped(value: str) -> str:
    """Return the value of a label, as the format wants it. What is not UTF-8 in a file cannot be told."""
    return value.encode("utf-8", "replace").decode().translate(ESCAPES)


def _sources(found: Measured) -> Iterator[Sample]:
    return (((source,), int(source not in found.failures)) for source in SOURCES)


def _lines(found: Measured) -> Iterator[Sample]:
    """Yield how many lines of each file are in each state; nothing if the files cannot be read."""
    if FILES in found.failures:
        return
    of_files: tuple[tuple[str, tuple[str, ...], Iterable[LineState | ForwardState]], ...] = (
        (ROUTED_IPS, STATES_OF_LINES, found.overview.lines),
        (FORWARDED_PORTS, STATES_OF_FORWARDS, found.overview.forwards),
    )
    for file, states, lines in of_files:
        counts = dict.fromkeys(states, 0)
        for line in lines:
            counts[line.state] += 1
        yield from (((file, state), count) for state, count in counts.items())


def _line_states(found: Measured) -> Iterator[Sample]:
    for line in found.overview.lines:
        yield (ROUTED_IPS, line.line.key, line.line.network, line.state), 1
    for forward in found.overview.forwards:
        yield (FORWARDED_PORTS, forward.line.key, _network(forward), forward.state), 1


def _problems(found: Measured) -> Iterator[Sample]:
    """Yield the numbers of mistakes. None must not be told where nobody could look."""
    of_files, of_host = found.overview.problems, found.overview.mistakes
    for kind, problems, is_known in (
        ("files", of_files, FILES not in found.failures),
        ("host", of_host, found.has_overview),
    ):
        if problems or is_known:
            yield (kind,), sum(problem.mistakes for problem in problems)


def _pending(found: Measured) -> Iterator[Sample]:
    if found.has_overview:
        yield (), len(found.overview.changes)


def _gates(found: Measured) -> Iterator[Sample]:
    return (((where,), int(where not in found.overview.closed)) for where, _ in found.overview.gates)


def _of_lines(number: Callable[[LineState], int | None]) -> Callable[[Measured], Iterator[Sample]]:
    """Return what yields this number of each line of routed-ips for which it is known."""

    def samples(found: Measured) -> Iterator[Sample]:
        for line in found.overview.lines:
            value = number(line)
            if value is not None:
                yield (line.line.prefix.text, line.line.network), value

    return samples


def _traffic(direction: str, unit: str) -> Callable[[Measured], Iterator[Sample]]:
    """Return what yields the packets or bytes that each line of routed-ips has received or sent."""

    def number(line: LineState) -> int | None:
        traffic = getattr(line, direction)
        return None if traffic is None else getattr(traffic, unit)

    return _of_lines(number)


def _of_forwards(number: Callable[[ForwardState], int | None]) -> Callable[[Measured], Iterator[Sample]]:
    """Return what yields this number of each line of forwarded-ports for which it is known."""

    def samples(found: Measured) -> Iterator[Sample]:
        for forward in found.overview.forwards:
            value = number(forward)
            if value is not None:
                yield (forward.line.key, _network(forward)), value

    return samples


def _network(forward: ForwardState) -> str:
    return "" if forward.line.is_hosts else forward.line.network


def _of_runs(samples: Callable[[Tally], Iterable[Sample]]) -> Callable[[Measured], Iterable[Sample]]:
    """Return what yields these samples of the tally, if that is known."""
    return lambda found: () if RUNS in found.failures else samples(found.tally)


def _runs(tally: Tally) -> Iterator[Sample]:
    for cause, counts in tally.by_cause.items():
        yield (cause, "changed"), counts.changed
        yield (cause, "failed"), counts.failed


ADDRESS = ("prefix", "network")
FORWARD = ("forward", "network")
METRICS = (
    Metric("nethook_build_info", GAUGE, "The version of nethook.", ("version",), lambda _: [((__version__,), 1)]),
    Metric("nethook_source_up", GAUGE, "1 unless this source of metrics could not be read.", ("source",), _sources),
    Metric("nethook_lines", GAUGE, "Lines of the files, by their state.", ("file", "state"), _lines),
    Metric("nethook_line_state", GAUGE, "The state that each line is in: always 1.", (*LINE, "state"), _line_states),
    Metric(
        "nethook_problems", GAUGE, "Mistakes in the files, and lines that are wrong on this host.", ("kind",), _problems
    ),
    Metric("nethook_pending_changes", GAUGE, "Changes that nethook apply would make now.", (), _pending),
    Metric("nethook_gate_open", GAUGE, "1 if all lines pass this firewall of another program.", ("firewall",), _gates),
    Metric(
        "nethook_address_received_packets_total",
        COUNTER,
        "Packets that were routed to an address or prefix.",
        ADDRESS,
        _traffic("received", "packets"),
    ),
    Metric(
        "nethook_address_received_bytes_total",
        COUNTER,
        "Bytes that were routed to an address or prefix.",
        ADDRESS,
        _traffic("received", "bytes"),
    ),
    Metric(
        "nethook_address_sent_packets_total",
        COUNTER,
        "Packets that came from an address or prefix.",
        ADDRESS,
        _traffic("sent", "packets"),
    ),
    Metric(
        "nethook_address_sent_bytes_total",
        COUNTER,
        "Bytes that came from an address or prefix.",
        ADDRESS,
        _traffic("sent", "bytes"),
    ),
    Metric(
        "nethook_spoofed_packets_total",
        COUNTER,
        "Packets that were dropped because somebody else claimed a bound address, or the MAC of its guest.",
        ADDRESS,
        _of_lines(lambda line: line.spoofed),
    ),
    Metric(
        "nethook_forward_connections_total",
        COUNTER,
        "Connections that came to a line of forwarded-ports.",
        FORWARD,
        _of_forwards(lambda forward: forward.connections),
    ),
    Metric(
        "nethook_forward_bytes_total",
        COUNTER,
        "Bytes of a line of forwarded-ports, in both directions.",
        FORWARD,
        _of_forwards(lambda forward: forward.bytes),
    ),
    Metric(
        "nethook_runs_total",
        COUNTER,
        "Runs that changed something, and runs that failed, by what caused them.",
        ("cause", "result"),
        _of_runs(_runs),
    ),
    Metric(
        "nethook_changes_total",
        COUNTER,
        "Changes that runs made in the kernel and in other firewalls.",
        ("cause",),
        _of_runs(lambda tally: (((cause,), counts.changes) for cause, counts in tally.by_cause.items())),
    ),
    Metric(
        "nethook_failures_total",
        COUNTER,
        "What failed in runs; the log has a line for each.",
        ("cause",),
        _of_runs(lambda tally: (((cause,), counts.failures) for cause, counts in tally.by_cause.items())),
    ),
    Metric(
        "nethook_last_run_success",
        GAUGE,
        "1 if nothing failed in the last run.",
        (),
        _of_runs(lambda tally: [((), int(not tally.has_failed))]),
    ),
    Metric(
        "nethook_last_run_timestamp_seconds",
        GAUGE,
        "When the last run was; 0 if there was none since the host started.",
        (),
        lambda found: [((), found.last_run / NANOSECONDS)],
    ),
    Metric(
        "nethook_last_change_timestamp_seconds",
        GAUGE,
        "When a run last changed something; 0 if none has since the host started.",
        (),
        _of_runs(lambda tally: [((), tally.changed_at)]),
    ),
    Metric(
        "nethook_last_failure_timestamp_seconds",
        GAUGE,
        "When a run last failed; 0 if none has since the host started.",
        (),
        _of_runs(lambda tally: [((), tally.failed_at)]),
    ),
)
