"""How the tests are shared out to processes, and what comes together from all of them.

What uses one host or one module's fixtures stays in one process. The process that shares them out reads no conftest.py
but this one.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.hosts.matrix_report import rows, table
from tests.signals import keep_ignored_signals_from_children

LOGS = Path(__file__).parents[1] / "test-logs"
LONGEST = (
    *(
        "test_matrix",
        "test_announcing",
        "test_firewalld",
        "test_doctor",
        "test_binding",
        "test_commands",
        "test_install",
    ),
    *("test_networks", "test_forwards", "test_cockpit", "test_guests_as_shipped", "test_deb", "test_reach"),
    *("test_forwards_reach", "test_event_faults", "test_readme", "test_ansible"),
    *("test_told", "test_faults", "test_packets", "test_reconcile", "test_harmless", "test_trace"),
    *("test_admins_table", "test_mark_bit_changes", "test_golden", "test_gates_wanted", "test_scale"),
)
"""Modules whose tests take longest, in that order; groups of the others take less than a minute."""

keep_ignored_signals_from_children()
settings.load_profile("ci")  # repeatable, and nothing fails because the machine is busy


@pytest.hookimpl(tryfirst=True)  # xdist takes the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first: booted hosts, and of them the matrix. The short ones fill what is left."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> tuple[bool, int]:
    module = Path(item.nodeid.partition("::")[0]).stem
    return "hosts" not in item.keywords, LONGEST.index(module) if module in LONGEST else len(LONGEST)


def _group(item: pytest.Item) -> str:
    module = item.nodeid.partition("::")[0]
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec else ()
    host = next((value for value in values if isinstance(value, str) and value.startswith("libvirt ")), "")
    return f"{module} {host}".rstrip()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The matrix, as far as it was run."""
    if hasattr(terminalreporter.config, "workerinput"):
        return
    calls = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call"
    ]
    found = rows(calls)
    if found:
        LOGS.mkdir(exist_ok=True)
        (LOGS / "matrix.txt").write_text(table(found) + "\n")
        terminalreporter.section(f"the matrix, also in {LOGS.name}/matrix.txt")
        terminalreporter.write_line(table(found))
