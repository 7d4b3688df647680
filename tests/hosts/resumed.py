"""A provider that knows at which moment a migrated guest goes on: no program can be faster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from lab.hosts.host import Host
from lab.hosts.wan import Wan
from tests.hosts.following import following

RESUMPTIONS = """
import os
import libvirt

def told(connection, domain, event, detail, nothing):
    if event == libvirt.VIR_DOMAIN_EVENT_RESUMED:
        print(domain.name(), flush=True)

libvirt.virEventRegisterDefaultImpl()
connection = libvirt.openReadOnly("qemu:///system")
connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, told, None)
print(os.getpid(), flush=True)
while True:
    libvirt.virEventRunDefaultImpl()
"""
"""Prints its number when libvirt has promised to tell, and then the name of each guest that goes on."""


@contextmanager
def delivered_when_resumed(wan: Wan, host: Host, prefixes: Iterable[str]) -> Iterator[None]:
    """Deliver these to the host when libvirt there tells that a guest goes on."""

    def follow(told: Iterable[str]) -> None:
        for _guest in told:
            for prefix in prefixes:
                wan.deliver(prefix, host)

    with following(host, ["/usr/bin/python3", "-c", RESUMPTIONS], follow):
        yield
