"""Our pins: permanent neighbour entries that carry our protocol number, so that no guest can take another's address."""

from __future__ import annotations

from nethook.parts.part import Key, Objects, Wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.config import RoutedIP
    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host.host import Host


class Pin(Key):
    """Address, device, MAC."""

    __slots__ = ()

    @property
    def mac(self) -> str:
        """The MAC of the NIC."""
        return self[2]


class Neighbours(Objects, words={"neighbour": "neighbour {prefix} → {to} on {bridge}"}):
    """Our pins, which lead the host to the NIC that an address is bound to."""

    name = "neighbour"
    already_gone = (*Objects.already_gone, "No such file or directory")
    waits_for_binding = True

    def read(self, host: Host, question: Question) -> set[Pin]:
        """Return our entries."""
        return {Pin(entry) for entry in host.permanent_neighbours(question.protocol)}

    def want(self, case: Case) -> Wanted:
        """Want one for each bound line whose guest is plugged in: for its address, or its next hop.

        Of one address, a line that is about it tells more than one with it as next hop. Pins stay for routes that stay.
        """
        pins: dict[Pin, RoutedIP] = {}
        targets: dict[tuple[str, str], Pin] = {}
        for placed in case.placements.placed:
            line = placed.line
            target = line.via or (line.prefix.text if line.prefix.is_address else "")
            if not placed.mac or not target:
                continue
            rival = targets.get((target, placed.bridge))
            if rival:
                if line.via:
                    continue
                del pins[rival]
            targets[target, placed.bridge] = pin = Pin((target, placed.bridge, placed.mac))
            pins[pin] = line
        kept = {(route.via or route.prefix, route.device) for route in case.placements.kept}
        return Wanted(pins, {pin for pin in case.state(self) if pin[:2] in kept})

    def add(self, key: Pin, protocol: int) -> str:
        """Return the line, with ``replace``: the kernel may know the address already, from a guest that answered."""
        address, device, mac = key
        return f"neighbour replace {address} lladdr {mac} dev {device} nud permanent protocol {protocol}"

    def delete(self, key: Pin, protocol: int) -> str:
        """Return the line that deletes the entry of this address."""
        del protocol
        return f"neighbour delete {key.prefix} dev {key.device}"


NEIGHBOURS = Neighbours()
