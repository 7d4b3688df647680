"""Settings of devices that our other parts need: switched on where they are needed, and back where they were not.

- ``ipv6`` of bridges: libvirt turns IPv6 off for networks without an IPv6 ``<ip>``, and then no IPv6 route can lead
  there. It is turned on in such a way that no address of the host appears on the bridge but the gateway.
- ``no_linklocal_learn`` of bridges: without it, a guest can take what is sent to another guest's MAC. A bridge takes
  frames to 01:80:c2:00:00:00 … 0f for itself (IEEE 802.1D, table 7-10). They pass no chain of ours, but the kernel
  learns the MAC of their sender all the same: net/bridge/br_input.c, __br_handle_local_finish.
- ``proxy_ndp`` of uplinks: without it, the kernel does not look at its proxy entries for IPv6.

The kernel cannot tell what was there before us. So that is recorded in ``/run/nethook``: of bridges with the number of
the device, because the bridge of a network that starts anew has another one.

https://docs.kernel.org/networking/ip-sysctl.html
"""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.host.process import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.host.host import Host

    Values = dict[str, str]
    """Settings of a device, by name."""

IPV6_FILE = "/run/nethook/ipv6"
DISABLED, ADDRESSES, ADVERTISEMENTS = "disable_ipv6", "addr_gen_mode", "accept_ra"
NO_ADDRESSES = "1"
"""The kernel's IN6_ADDR_GEN_MODE_NONE."""
NO_LEARNING = "no_linklocal_learn"
NO_LEARNING_FILE = f"/run/nethook/{NO_LEARNING}"
"""Each bridge on which we have switched it on, and the number of this device, a line each."""
PROXY_NDP = "proxy_ndp"
PROXY_NDP_FILE = f"/run/nethook/{PROXY_NDP}"
"""The uplinks on which we have turned it on, a line each."""


def path(device: str, name: str) -> str:
    """Return the file of this IPv6 setting of a device."""
    return f"/proc/sys/net/ipv6/conf/{device}/{name}"


def _value(host: Host, device: str, name: str) -> str:
    """Return the value of a setting; '' if there is no such device. ReadError if it cannot be read."""
    file = path(device, name)
    try:
        return (host.read(file) or "").strip()
    except OSError as error:
        raise ReadError(f"cannot read {file}: {error.strerror}") from None


def ipv6_values(*, has_gateway: bool) -> Values:
    """Return the settings that turn IPv6 on.

    Without a gateway of ours, the kernel gives the bridge an address: it needs one for NDP.
    """
    values = {ADVERTISEMENTS: "0"}
    if has_gateway:
        values[ADDRESSES] = NO_ADDRESSES
    return {**values, DISABLED: "0"}


def is_ipv6_off(host: Host, bridge: str) -> bool:
    """Return whether the bridge has no IPv6, where the kernel has; False where there is no such bridge. ReadError."""
    return _value(host, bridge, DISABLED) == "1"


def ipv6_turned_on(host: Host) -> dict[str, Values]:
    """Return the bridges on which we have turned IPv6 on, with the settings that turn it off again. OSError."""
    found: dict[str, Values] = {}
    for bridge, (number, addresses, advertisements) in _ipv6_record(host).items():
        if number == str(host.number_of(bridge)):
            found[bridge] = {DISABLED: "1", ADDRESSES: addresses, ADVERTISEMENTS: advertisements}
    return found


def turn_ipv6_on(host: Host, bridge: str, values: Values) -> None:
    """Write these values, and record what was there before; OSError if that fails.

    Where it has been turned on before, for the same device, what is there now is ours, so the record stays.
    """
    record, number = _ipv6_record(host), str(host.number_of(bridge))
    if bridge not in record or record[bridge][0] != number:
        record[bridge] = [
            number,
            *((host.read(path(bridge, name)) or "").strip() for name in (ADDRESSES, ADVERTISEMENTS)),
        ]
        _write_ipv6_record(host, record)
    _write(host, bridge, values)


def turn_ipv6_off(host: Host, bridge: str, values: Values) -> None:
    """Write these values, and forget the bridge; OSError if that fails."""
    _write(host, bridge, values)
    record = _ipv6_record(host)
    record.pop(bridge, None)
    _write_ipv6_record(host, record)


def _write(host: Host, bridge: str, values: Values) -> None:
    for name, value in values.items():
        host.write(path(bridge, name), value)


def _ipv6_record(host: Host) -> dict[str, list[str]]:
    lines = [line.split() for line in host.recorded(IPV6_FILE).splitlines()]
    return {line[0]: line[1:] for line in lines if len(line) == 4}


def _write_ipv6_record(host: Host, record: dict[str, list[str]]) -> None:
    host.record(IPV6_FILE, "".join(f"{bridge} {' '.join(fields)}\n" for bridge, fields in record.items()))


def no_learning_switched_on(host: Host) -> set[str]:
    """Return the bridges on which we have switched no_linklocal_learn on; OSError if the record cannot be read."""
    return {bridge for bridge, number in _no_learning_record(host).items() if str(host.number_of(bridge)) == number}


def no_learning_call(bridge: str, *, on: bool) -> Call:
    """Return the call that switches no_linklocal_learn on or off."""
    return Call(("ip", "link", "set", "dev", bridge, "type", "bridge", NO_LEARNING, str(int(on))))


def record_no_learning(host: Host, bridge: str, *, on: bool) -> None:
    """Record that we have switched no_linklocal_learn on, or that we have not; OSError if that fails."""
    record = _no_learning_record(host)
    if on:
        record[bridge] = str(host.number_of(bridge))
    else:
        record.pop(bridge, None)
    host.record(NO_LEARNING_FILE, "".join(f"{name} {number}\n" for name, number in record.items()))


def _no_learning_record(host: Host) -> dict[str, str]:
    lines = [line.split() for line in host.recorded(NO_LEARNING_FILE).splitlines()]
    return {line[0]: line[1] for line in lines if len(line) == 2}


def is_proxy_ndp_off(host: Host, uplink: str) -> bool:
    """Return whether it is off; False where there is no such uplink, which then will be said. ReadError."""
    return _value(host, uplink, PROXY_NDP) == "0"


def proxy_ndp_turned_on(host: Host) -> set[str]:
    """Return the uplinks on which we have turned proxy_ndp on; OSError if that is not known."""
    return set(host.recorded(PROXY_NDP_FILE).split())


def turn_proxy_ndp(host: Host, uplink: str, *, on: bool) -> None:
    """Turn proxy_ndp on or off, and record that; OSError if that fails."""
    uplinks = proxy_ndp_turned_on(host)
    file = path(uplink, PROXY_NDP)
    if on:  # first, so that what we turn on is never taken for somebody else's doing
        _record_proxy_ndp(host, uplinks | {uplink})
    if on or host.has_file(file):
        host.write(file, "1" if on else "0")
    if not on:
        _record_proxy_ndp(host, uplinks - {uplink})


def _record_proxy_ndp(host: Host, uplinks: set[str]) -> None:
    host.record(PROXY_NDP_FILE, "".join(f"{name}\n" for name in sorted(uplinks)))
