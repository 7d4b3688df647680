"""Questions to a libvirt that hangs."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from nethook.libvirt.live import LibvirtError, within


def test_a_libvirt_that_hangs_is_not_asked_again() -> None:
    """Each question that is given up leaves a thread and a connection."""
    answers, asked, others = threading.Event(), count(), {*threading.enumerate()}

    def ask() -> int:
        number = next(asked)
        assert answers.wait(60)
        return number

    said = set()
    for seconds in (0.01, 0.02, 60):
        with pytest.raises(LibvirtError) as error:
            within(seconds, ask)
        said.add(str(error.value))
    assert len(said) == 1
    assert len({*threading.enumerate()} - others) == 1
    answers.set()
    for thread in {*threading.enumerate()} - others:
        thread.join()
    assert within(60, ask) == 1, "it answers again"


def test_the_errors_of_a_question_are_passed_on() -> None:
    def ask() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        within(60, ask)
