"""The demo. It uses the lab of the tests, so it runs in separate namespaces, which are removed at the end."""

from __future__ import annotations

import os
import sys

from demo.story import NotAsPromisedError, show, step, tell
from lab.hosts.guest import Guest
from lab.hosts.guest_image import guest_image
from lab.hosts.host import Host
from lab.hosts.lab import Lab
from lab.hosts.wan import CLIENT

ADDRESS = "203.0.113.10"
GATEWAY = "192.168.150.1"
FILE = "/etc/sysconfig/routed-ips"


def main() -> int:
    """Run the demo, and return the exit status."""
    if os.geteuid() != 0:
        print("the demo starts a libvirtd in separate namespaces, which needs root: sudo make demo", file=sys.stderr)
        return 2
    try:
        with step("Building the guest's image (only the first time)"):
            guest_image()
        with Lab() as lab:
            _play(lab)
            tell("\nCleaning up.")
    except KeyboardInterrupt:
        tell("\nStopped; everything has been removed.")
        return 130
    except NotAsPromisedError as error:
        tell(f"\nThe demo failed: {error}. Please report it with the lines above.")
        return 1
    tell("Done. Nothing of the demo is left on your machine.")
    return 0


def _play(lab: Lab) -> None:
    tell("\n1. A hired server: its provider routes 203.0.113.0/24 to it, and it runs a guest.")
    with step("Starting a private libvirtd with its own network"):
        host = lab.machine_host()
        lab.wan.deliver("203.0.113.0/24", host)
    tell(f"  {host.virsh('version', '--daemon').strip().splitlines()[-1]}")
    host.network("public", addresses=[f"{GATEWAY}/24"])
    guest = host.guest("web1", network="public", addresses=[f"{ADDRESS}/32"], gateways=[GATEWAY])
    with step(f"Starting guest web1, which uses {ADDRESS}"):
        guest.start()
    _ask_from_outside(lab, None)

    tell("\n2. The hook, and one line of configuration.")
    with step("Installing the package and its hook"):
        host.write(FILE, f"{ADDRESS}  public\n")
        host.install()
    tell(f"  {FILE}:\n      {host.read(FILE).strip()}")
    _ask_both_ways(lab, guest)
    tell("  The changes of the hook, from syslog:")
    _show_log(host)

    tell("\n3. An update restarts libvirtd.")
    with step("Restarting libvirtd while the guest runs"):
        host.restart_libvirtd()
    _ask_both_ways(lab, guest)


def _ask_from_outside(lab: Lab, expected: str | None) -> None:
    show(f"outside$ curl http://{ADDRESS}/", lab.wan.fetch(ADDRESS, timeout=2), expected)


def _ask_both_ways(lab: Lab, guest: Guest) -> None:
    _ask_from_outside(lab, f"web1 {CLIENT.ipv4}")
    show(
        f"web1$ wget http://{CLIENT.ipv4}/  (it answers with the guest's source address)",
        guest.fetch(f"http://{CLIENT.ipv4}/"),
        ADDRESS,
    )


def _show_log(host: Host) -> None:
    for line in host.syslog("nethook").splitlines():
        tell(f"      {line.partition(': ')[2]}")


if __name__ == "__main__":
    sys.exit(main())
