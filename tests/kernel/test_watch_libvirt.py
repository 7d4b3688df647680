"""The source of libvirt's events with libvirt's own library and its test driver, which lives in the process."""

from __future__ import annotations

from lab.processes import Runner
from lab.world.world import SOURCE

_SCRIPT = """
import os, select, sys, time
sys.path.insert(0, sys.argv[1])
import libvirt
from nethook.watch import libvirt_events
libvirt_events.URI = libvirt_events.GUESTS_URI = "test:///default"
opened, open_one = [], libvirt.open
libvirt.openReadOnly = lambda uri: opened.append(open_one(uri)) or opened[-1]
source = libvirt_events.Libvirt()
while len(opened) < 2:
    time.sleep(0.01)
network, guest = opened[0].networkLookupByName("default"), opened[1].lookupByName("test")
heard = []
while True:  # until the callbacks are there
    network.destroy(), network.create(), guest.destroy(), guest.create()
    if select.select([source], [], [], 0.1)[0]:
        heard += source.read()
    if len(set(heard)) == 3:
        break
print(*sorted(set(heard)), sep="\\n")
"""


def test_networks_and_guests_that_come_and_go() -> None:
    heard = Runner().run("/usr/bin/python3", "-I", "-c", _SCRIPT, str(SOURCE)).splitlines()
    assert heard == ["guest test changed its state", "network default started", "network default stopped"]
