"""IPv6 on bridges: libvirt turns it off for networks without an IPv6 ``<ip>``, and then no IPv6 route can lead there.

Where a line needs it, it is turned on, in such a way that no address of the host appears on the bridge but the gateway.
What was there before is recorded, with the number of the device: when the network starts anew, it has another one.

https://docs.kernel.org/networking/ip-sysctl.html
"""

from __future__ import annotations

from _socket import if_nametoindex

from nethook.errors import ReadError
from nethook.host import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    Values = dict[str, str]
    """Settings of a device, by name."""

FILE = "/run/nethook/ipv6"
DISABLED, ADDRESSES, ADVERTISEMENTS = "disable_ipv6", "addr_gen_mode", "accept_ra"
NO_ADDRESSES = "1"
"""The kernel's IN6_ADDR_GEN_MODE_NONE."""


def opening(*, has_gateway: bool) -> Values:
    """What turns it on. Without a gateway of ours, the kernel gives the bridge an address: it needs one for NDP."""
    values = {ADVERTISEMENTS: "0"}
    if has_gateway:
        values[ADDRESSES] = NO_ADDRESSES
    return {**values, DISABLED: "0"}


def is_off(bridge: str) -> bool:
    """Return whether the bridge has no IPv6, where the kernel has; False where there is no such bridge. ReadError."""
    try:
        return _read(bridge, DISABLED) == "1"
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ReadError(f"cannot read {path(bridge, DISABLED)}: {error.strerror}") from None


def path(bridge: str, name: str) -> str:
    """Where this setting is."""
    return f"/proc/sys/net/ipv6/conf/{bridge}/{name}"


def opened() -> dict[str, Values]:
    """What turns IPv6 off again on each bridge where we have turned it on; OSError if the record cannot be read."""
    found: dict[str, Values] = {}
    for bridge, fields in _record().items():
        index, addresses, advertisements = fields
        if _index(bridge) == index:
            found[bridge] = {DISABLED: "1", ADDRESSES: addresses, ADVERTISEMENTS: advertisements}
    return found


def turn_on(bridge: str, values: Values) -> None:
    """Turn it on with these values, and record what was; OSError if that fails.

    Where it has been turned on before, for the same device, what is there now is ours, so the record stays.
    """
    record, index = _record(), _index(bridge)
    if bridge not in record or record[bridge][0] != index:
        record[bridge] = [index, _read(bridge, ADDRESSES), _read(bridge, ADVERTISEMENTS)]
        _write_record(record)
    _set(bridge, values)


def turn_off(bridge: str, values: Values) -> None:
    """Turn it off with these values, and forget it; OSError if that fails."""
    _set(bridge, values)
    record = _record()
    record.pop(bridge, None)
    _write_record(record)


def _set(bridge: str, values: Values) -> None:
    for name, value in values.items():
        with open(path(bridge, name), "w", encoding="ascii") as file:
            file.write(value)


def _read(bridge: str, name: str) -> str:
    with open(path(bridge, name), encoding="ascii") as file:
        return file.read().strip()


def _index(bridge: str) -> str:
    try:
        return str(if_nametoindex(bridge))
    except OSError:
        return ""


def _record() -> dict[str, list[str]]:
    lines = [line.split() for line in recorded.read(FILE).splitlines()]
    return {line[0]: line[1:] for line in lines if len(line) == 4}


def _write_record(record: dict[str, list[str]]) -> None:
    recorded.write(FILE, "".join(f"{bridge} {' '.join(fields)}\n" for bridge, fields in record.items()))
