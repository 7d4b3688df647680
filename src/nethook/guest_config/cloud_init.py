"""cloud-init's network configuration, version 2, as a NoCloud seed has it.

https://docs.cloud-init.io/en/latest/reference/network-config-format-v2.html and
https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html: the file ``network-config`` stands beside
``meta-data`` and ``user-data``. It is netplan's format, of which cloud-init makes what the guest's system has. It hands
on all of it to netplan; for others it needs ``set-name`` with a match, forgets ``on-link``
(https://github.com/canonical/cloud-init/issues/4995), and so needs a route to the gateway itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.format import Format
from nethook.guest_config.netplan import ethernet

if TYPE_CHECKING:
    from nethook.guest_config.nic import Nic

HEAD = """\
# network-config of a NoCloud seed, or for: virt-install --cloud-init network-config=FILE
version: 2
ethernets:
"""


def _lines(nic: Nic) -> list[str]:
    return (HEAD + ethernet(nic, indent=2, for_cloud_init=True)).splitlines()


FORMAT = Format(_lines, interface="eth0", keeps_dhcp=True, matches_mac=True)
