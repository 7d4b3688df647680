"""A world with a network, a guest and the service, for the tests of `nethook watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.firewalls import FIREWALLS
from lab.world.damages import ADDRESSES, LINES
from lab.world.network import WorldPort
from lab.world.verbs import nethook, tell_libvirt
from lab.world.watching import Watching
from lab.world.world import SETTINGS, World
from tests.kernel import listings

if TYPE_CHECKING:
    from collections.abc import Mapping


class Watched:
    """One such world; the service is started by ``start``."""

    def __init__(self, firewall: str = "libvirt-nftables") -> None:
        self.world = World(FIREWALLS[firewall])
        self.machine = self.world.machine
        self.network = self.world.network("public", 1)
        self.guest = self.world.guest(self.network, *ADDRESSES)
        self.port = WorldPort("web1", self.guest.mac)
        tell_libvirt(self.world, self.network, self.port)
        plain = self.world.network("plain", 2)  # without IPv6, which libvirt then turns off on the bridge
        tell_libvirt(self.world, plain, has_ipv6=False)
        self.sh("echo 1 > /proc/sys/net/ipv6/conf/virbr2/disable_ipv6")
        self.world.configure(*LINES)

    def start(self, environment: Mapping[str, str] | None = None) -> Watching:
        """Start the service, again if it has ended."""
        self.watching = Watching(self.world, environment)
        self.whole = self.ours()
        return self.watching

    def close(self) -> None:
        """End everything."""
        self.watching.stop()
        self.world.close()

    def sh(self, script: str) -> str:
        """Run commands as another program does."""
        return self.machine.run("sh", "-ec", script)

    def settings(self, text: str) -> None:
        """Write nethook.conf."""
        self.machine.write(SETTINGS, text)

    def nethook(self, *arguments: str, check: bool = True) -> str:
        """Run the command ``nethook``."""
        return nethook(self.world, *arguments, check=check)

    def is_whole(self) -> bool:
        """Whether all of ours is as it was at the start."""
        return self.ours() == self.whole

    def ours(self) -> list[str]:
        """All that is ours, also settings of the kernel. Without an order: what was healed comes last."""
        settings = self.sh(
            "grep . /proc/sys/net/ipv6/conf/virbr2/disable_ipv6 /proc/sys/net/ipv6/conf/uplink/proxy_ndp"
        )
        return sorted([*settings.splitlines(), *listings.ours(self.machine).splitlines()])

    def heals(self, script: str) -> list[str]:
        """Do this damage, and wait until it is healed. Returns what the service logged."""
        before = len(self.watching.said)
        self.sh(script)
        self.watching.wait(lambda: len(self.watching.said) > before and self.is_whole(), f"healed after {script}")
        return self.watching.said[before:]

    def silent(self) -> list[str]:
        """The addresses that do not answer to the outside."""
        world = self.world
        return [
            address
            for address in ADDRESSES
            if not world.exchange(world.outside(6 if ":" in address else 4), self.guest.at(address))
        ]
