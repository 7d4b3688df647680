"""The stages of a run, in their order: the one place that says what comes before what.

A packet must never be routed to where it is not let in. So routes (and other objects) that go are deleted first, then
one nft transaction changes what is accepted, then the gates of other tools open, and new objects come last. An object
that changes is deleted right before it is added again. Objects of lines with ``guest=`` come behind another
transaction, which keeps others from their addresses: an nft that cannot do that costs these lines and no other.

Where the mark bit changes, the first transaction gives packets both bits. When all gates are open for the new one, the
gates for the former one are closed, and a last transaction ends it.
"""

from __future__ import annotations

WITHDRAW = 0
"""Objects that go, those of the last part first."""
SWITCH_OFF = 1
CLASSIFY = 2
"""One nft transaction: gates in libvirt's tables, and our table for routed packets."""
GATES = 3
"""Gates that other tools than nft open and close."""
ARP = 4
SWITCH = 5
"""Settings of devices that new objects need."""
PLACE = 6
"""New objects, but for those that wait for binding."""
BIND = 7
"""The nft transaction that keeps addresses to their guests."""
PLACE_BOUND = 8
FLOWS = 9
"""Connections of addresses that moved, without the lock."""
SETTLE = 10
"""Only if nothing failed before: gates for a former mark bit, and what release 0.6 left."""
LAST = 11
"""Our tables, when everything goes: until then they keep foreign marks from passing the gates."""
STAGES = range(LAST + 1)
