"""A shell on a freshly booted host: `python -m lab.hosts.shell trixie nftables`. Ends with the shell."""

from __future__ import annotations

import subprocess
import sys

from lab.hosts.lab import Lab


def main(suite: str, firewall_backend: str | None = None) -> None:
    with Lab() as lab:
        host = lab.host(suite, firewall_backend=firewall_backend)
        print(f"{suite} is up; the outside: ip netns exec {lab.wan.namespace.name} …")
        subprocess.run([str(word) for word in host.command(["bash", "--login"])], check=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
