"""A lab per module, and the logs of its hosts when a test fails."""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from lab.hosts.lab import Lab

LOGS = Path(__file__).parents[2] / "test-logs"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        folder = LOGS / re.sub(r"[^\w.-]+", "_", f"{item.path.name}-{item.name}")
        report.sections.append(("logs of the hosts", _collect(folder)))
    return report


def _collect(folder: Path) -> str:
    """Collect the logs of all hosts that live; what goes wrong with that must not hide why the test failed."""
    shutil.rmtree(folder, ignore_errors=True)
    lines = []
    for lab in Lab.alive:
        for host in lab.hosts:
            try:
                host.collect_logs(folder / host.name)
                lines.append(str(folder / host.name))
            except Exception as error:
                lines.append(f"{host.name}: {error}")
    return "\n".join(lines)
