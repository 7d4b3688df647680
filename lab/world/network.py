"""A libvirt network as these tests make it: a name, a forward mode, a bridge, private addresses of both families."""

from __future__ import annotations

from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

ISOLATED = "isolated"
PORT = """<networkport>
  <uuid>{uuid}</uuid>
  <owner><name>{guest}</name><uuid>08ae5a5d-0c6c-4c0b-9a32-6c0b6f6a3f5e</uuid></owner>
  <mac address={mac}/>
  <plug type='network' bridge={bridge}/>
</networkport>
"""


class WorldPort(NamedTuple):
    """A guest's NIC on a network, at the first port that libvirt makes for it, or a later one."""

    guest: str
    mac: str
    number: int = 1

    @property
    def uuid(self) -> str:
        """By which libvirt knows the port."""
        return f"{self.number:08x}-ba4a-4d6e-bdb2-{self.mac.replace(':', '')}"


SOMEBODY = WorldPort("somebody", "52:54:00:7b:35:93")
"""For events of which it does not matter whose they are."""


class WorldNetwork(NamedTuple):
    """Network ``number`` (0 … 31) has the bridge ``virbrNUMBER``, a /29 of 192.0.2.0/24 and a /64 of 2001:db8::/32."""

    name: str
    number: int
    mode: str
    """nat (of both families), route, open, or ISOLATED."""
    device: str = ""
    """The name of its bridge, where that is not the usual one."""
    reserves: tuple[tuple[str, str], ...] = ()
    """MAC or name of a guest, and the address reserved for it. libvirt takes a MAC for IPv4 alone."""

    @property
    def bridge(self) -> str:
        """The device of its bridge."""
        return self.device or f"virbr{self.number}"

    @property
    def ipv4(self) -> str:
        """Its private IPv4 subnet."""
        return f"{self.address(4, 0)}/29"

    @property
    def ipv6(self) -> str:
        """Its private IPv6 subnet."""
        return f"2001:db8:{self.number + 0x100:x}::/64"

    def address(self, family: int, number: int) -> str:
        """A private address: number 1 is the host's, guests have 2 … 6."""
        if family == 4:
            return f"192.0.2.{8 * self.number + number}"
        return f"2001:db8:{self.number + 0x100:x}::{number:x}"

    def event_xml(self, port: WorldPort | None = None) -> str:
        """What libvirt 9.0 writes to a hook's standard input."""
        forward = "" if self.mode == ISOLATED else f"<forward mode='{self.mode}'>{self._nat}</forward>\n"
        return f"""<hookData>
<network>
  <name>{escape(self.name)}</name>
  <uuid>66d27cab-5952-48d9-b797-586255d59b{self.number:02d}</uuid>
  {forward}<bridge name={quoteattr(self.bridge)} stp='on' delay='0'/>
  <mac address='52:54:00:be:81:{self.number:02d}'/>
  <ip address='{self.address(4, 1)}' netmask='255.255.255.248'>
    <dhcp>
      <range start='{self.address(4, 2)}' end='{self.address(4, 6)}'/>{self._reserved(4)}
    </dhcp>
  </ip>
  <ip family='ipv6' address='{self.address(6, 1)}' prefix='64'>{self._reserved(6)}
  </ip>
</network>
{self._port_xml(port) if port else ""}</hookData>
"""

    def _port_xml(self, port: WorldPort) -> str:
        guest, mac, bridge = escape(port.guest), quoteattr(port.mac), quoteattr(self.bridge)
        return PORT.format(uuid=port.uuid, guest=guest, mac=mac, bridge=bridge)

    def _reserved(self, family: int) -> str:
        hosts = ((whom, address) for whom, address in self.reserves if (":" in address) == (family == 6))
        found = [
            f"<host {'mac' if ':' in whom else 'name'}={quoteattr(whom)} ip='{address}'/>" for whom, address in hosts
        ]
        text = "".join(f"\n      {each}" for each in found)
        return f"\n    <dhcp>{text}\n    </dhcp>" if found and family == 6 else text

    @property
    def _nat(self) -> str:
        return "<nat ipv6='yes'><port start='1024' end='65535'/></nat>" if self.mode == "nat" else ""
