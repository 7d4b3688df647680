"""netplan (Ubuntu, and Debian's cloud images), and cloud-init's network configuration, which has the same format.

- netplan: `on-link` and `from` of a route, `match`, `accept-ra`, `dhcp4-overrides`:
  https://netplan.readthedocs.io/en/stable/netplan-yaml/ . Releases before 0.103 understand `0.0.0.0/0`, but not
  `default`. netplan warns if others can read the file, because such files may hold secrets.
- cloud-init: version 2, as in a NoCloud seed, where the file ``network-config`` is beside ``meta-data`` and
  ``user-data``: https://docs.cloud-init.io/en/latest/reference/network-config-format-v2.html and
  https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html . cloud-init converts it for the guest's
  system. It passes it unchanged to netplan. For other systems a match needs ``set-name``, and ``on-link`` is lost
  (https://github.com/canonical/cloud-init/issues/4995), so that the gateway needs a route of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.guest_config.nic import Format

if TYPE_CHECKING:
    from nethook.guest_config.nic import Nic

PATH = "/etc/netplan/60-nethook.yaml"
FIRST = "00-nethook"
"""The name of our part: networkd takes the first part that matches a NIC, in the order of their names.

Images have a part for it already: Debian's all-en and all-eth in 90-default.yaml, cloud-init's one with the name of the
NIC in 50-cloud-init.yaml.
"""
NETPLAN_HEAD = f"""\
# {PATH}, which root alone may read (chmod 600); then: netplan apply
network:
  version: 2
  ethernets:
"""

CLOUD_INIT_HEAD = """\
# network-config of a NoCloud seed, or for: virt-install --cloud-init network-config=FILE
version: 2
ethernets:
"""


def _netplan(nic: Nic) -> list[str]:
    return (NETPLAN_HEAD + _ethernet(nic, indent=4)).splitlines()


def _cloud_init(nic: Nic) -> list[str]:
    return (CLOUD_INIT_HEAD + _ethernet(nic, indent=2, for_cloud_init=True)).splitlines()


def _ethernet(nic: Nic, *, indent: int, for_cloud_init: bool = False) -> str:
    """Return the part of the configuration for the NIC; ``for_cloud_init`` adds what cloud-init needs."""
    lines = [f"{nic.interface if for_cloud_init else FIRST}:"]
    if nic.mac:
        lines += ["  match:", f'    macaddress: "{nic.mac}"']
        lines += [f"  set-name: {nic.interface}"] * for_cloud_init
    elif not for_cloud_init:
        lines += ["  match:", f'    name: "{nic.interface}"']
    lines.append(f"  dhcp4: {_boolean(4 in nic.automatic)}")
    if 4 in nic.automatic and nic.default(4):
        lines += ["  dhcp4-overrides:", "    use-routes: false"]
    lines += ["  dhcp6: false", f"  accept-ra: {_boolean(6 in nic.automatic)}"]
    lines += ["  addresses:", *(f'    - "{address}"' for address in nic.all_addresses)]
    lines.append("  routes:")
    for default in nic.defaults:
        if for_cloud_init and not default.needs_nic:
            length = 32 if default.family == 4 else 128
            lines += [f'    - to: "{default.via}/{length}"', "      scope: link"]
        lines += [f'    - to: "{default.to}"', f'      via: "{default.via}"', "      on-link: true"]
        lines += [f'      from: "{default.source}"'] if default.source else []
        lines += [f"      metric: {default.metric}"] if default.metric else []
    if nic.dns:
        lines += ["  nameservers:", "    addresses:", *(f'      - "{server}"' for server in nic.dns)]
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


NETPLAN = Format(
    "Ubuntu, Debian's cloud images: netplan", PATH, _netplan, interface="enp1s0", keeps_dhcp=True, matches_mac=True
)
CLOUD_INIT = Format(
    "new guests with cloud-init: network-config of the seed",
    "",
    _cloud_init,
    interface="eth0",
    keeps_dhcp=True,
    matches_mac=True,
)
