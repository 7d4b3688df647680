"""A host in memory that behaves as the real one does, for unit tests.

It is beside the edge so that both change together, and it is in no package: tests alone import it. What it answers is
compared with the real tools and the real kernel by tests/kernel/test_fake.py. What it has not is an error that ends the
test, so it never guesses.
"""

from nethook.host.fake.answer import NotFaked
from nethook.host.fake.faults import Fault, Killed, Touch
from nethook.host.fake.host import FakeHost

__all__ = ["FakeHost", "Fault", "Killed", "NotFaked", "Touch"]
