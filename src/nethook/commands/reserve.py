"""``nethook reserve``: have a network keep an address for a guest, so that a line with ``guest=`` finds it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.config.text import one_line, suggestion
from nethook.engine.situation import require_root
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.libvirt import control
from nethook.libvirt.network_update import CONFIG, LIVE
from nethook.libvirt.reservations import Client, choose, pool_for, pools, refuse, update_for
from nethook.prefix import address_text, is_mac, parse_address
from nethook.terminal import can_ask, confirm

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from nethook.libvirt.network_update import Update
    from nethook.libvirt.reservations import Lease, Pool


def run(options: Namespace) -> int:
    """Show the reservation; after a yes, make it. Return the exit status."""
    require_root("change a network")
    name = options.network
    found = control.definition(name)
    if found is None:
        raise NethookError(f"libvirt has no network {one_line(name)}; {suggestion(name, sorted(control.names()))}")
    nic = _nic(options.guest, name, options.mac)
    leases = control.leases(name) if found.running else []
    xml_of = {option: xml for option, xml in ((LIVE, found.running), (CONFIG, found.defined)) if xml}
    chosen = {option: pool_for(name, _address(options.address), pools(xml)) for option, xml in xml_of.items()}
    first = next(iter(chosen.values()))
    address = _chosen(options.address, first, nic, leases)
    for pool in chosen.values():
        refuse(pool, address, nic, leases)
    changes = _together({option: update_for(pool, nic, address) for option, pool in chosen.items()})
    text = address_text(first.family, address)
    if not changes:
        print(f"network {name} already reserves {text} for guest {nic.guest} ({nic.mac})")
        return OK
    for change, of in changes:
        print(f"{one_line(change.xml)}\n  {change.virsh(name, *of)}")
    if options.dry_run:
        return DIFFERENT
    if not options.yes and not confirm(f"Reserve {text} for guest {one_line(nic.guest)} ({nic.mac})?"):
        print(f"nethook: nothing was changed{'' if can_ask() else '; use --yes to reserve it'}", file=sys.stderr)
        return DIFFERENT
    for number, (change, of) in enumerate(changes):
        try:
            control.update(name, change, of)
        except NethookError as error:
            if not number:
                raise
            what = f"network {name} was changed as it runs, but not its definition: {change.virsh(name, *of)}"
            print(f"nethook: {error}; {what}", file=sys.stderr)
            return DIFFERENT
    print(f"network {name} reserves {text} for guest {nic.guest} ({nic.mac})")
    _say_when(first, nic, text, leases)
    return OK


def _nic(guest: str, network: str, mac: str | None) -> Client:
    """Return the guest's NIC on the network. NethookError if there is none, or more than one without ``mac``."""
    macs = control.macs(guest, network)
    name = one_line(guest)
    if macs is None:
        known = sorted(control.guest_names())
        raise NethookError(f"libvirt has no guest {name}" + (f"; {suggestion(guest, known)}" if known else ""))
    if mac is not None and not is_mac(mac):
        raise NethookError(f"{one_line(mac)} is not a MAC address; write it as 52:54:00:12:34:56")
    if mac is not None:
        if mac.lower() not in macs:
            has = f"it has {', '.join(macs)}" if macs else "it has none there"
            raise NethookError(f"guest {name} has no NIC {mac} on network {network}; {has}")
        return Client(guest, mac.lower())
    if not macs:
        raise NethookError(f"guest {name} has no NIC on network {network}; add one with virsh attach-interface")
    if len(macs) > 1:
        raise NethookError(f"guest {name} has {len(macs)} NICs on network {network}; choose one: --mac {macs[0]}")
    return Client(guest, macs[0])


def _address(text: str | None) -> str:
    """Return the address, in canonical text; '' if none is given. NethookError if it is none."""
    if text is None:
        return ""
    try:
        return address_text(*parse_address(text))
    except ValueError:
        raise NethookError(f"{one_line(text)} is not an IP address") from None


def _chosen(text: str | None, pool: Pool, nic: Client, leases: Sequence[Lease]) -> int:
    """Return the address that is given; else the one that is reserved already, else a good one."""
    if text is not None:
        return parse_address(text)[1]
    entry = pool.entry_of(nic)
    if entry is not None and entry.get("ip"):
        return parse_address(entry.get("ip", ""))[1]
    return choose(pool, nic, leases)


def _together(updates: dict[str, Update | None]) -> list[tuple[Update, list[str]]]:
    """Return each update with its options: one for both what runs and the definition, if they need the same."""
    found: dict[Update, list[str]] = {}
    for option, update in updates.items():
        if update is not None:
            found.setdefault(update, []).append(option)
    return list(found.items())


def _say_when(pool: Pool, nic: Client, text: str, leases: Sequence[Lease]) -> None:
    """Print when the guest will have the address, unless it has it now."""
    if pool.family == 6:
        print(f"The guest gets it when its DHCPv6 client sends the name {nic.guest}.")
        return
    current = [lease.address for lease in leases if lease.mac == nic.mac]
    if text not in current:
        has = f" Now it has {', '.join(current)}." if current else ""
        print(f"The guest gets it when its DHCP client asks next, at the latest when it boots.{has}")
