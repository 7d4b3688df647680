"""A guest: a real QEMU domain that runs guest_init.sh."""

from __future__ import annotations

import base64
import re
import secrets
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.hosts.container import SHARED
from tests.hosts.processes import CommandError
from tests.hosts.waiting import wait_for

if TYPE_CHECKING:
    from tests.hosts.host import Host

# Where hosts have the guest image.
IMAGE = "/var/lib/bench/image"

# How long a guest may take to answer after its command has ended.
ANSWER_SECONDS = 20

# Statuses of wget: no connection or no answer, and ended by timeout.
NO_ANSWER = (1, 143)

DOMAIN_XML = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>96</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{image}/kernel</kernel>
    <initrd>{image}/initramfs</initrd>
    <cmdline>console=ttyS0 quiet mitigations=off {settings}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <interface type='network'>
      {mac}<source network='{network}'/><model type='virtio'/><rom enabled='no'/>
    </interface>
    <serial type='file'><source path='{shared}/{name}.console'/><target port='0'/></serial>
    <channel type='unix'>
      <source mode='bind' path='{shared}/{name}.commands'/><target type='virtio' name='commands'/>
    </channel>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


class Guest:
    """Answers HTTP on every address with its name and the client's address; runs commands.

    Commands go over a virtio channel, so they work whatever state the network is in. (An emulated serial line loses
    bytes under load.)
    """

    def __init__(
        self,
        host: Host,
        name: str,
        *,
        network: str,
        addresses: Sequence[str],
        gateways: Sequence[str],
        mac: str | None,
    ) -> None:
        """Define the domain.

        `addresses` have a prefix length, `gateways` (one per family) may lie outside of all of them, and the
        MAC address is libvirt's choice when not given.
        """
        self._host = host
        self.name = name
        self._console = host.shared / f"{name}.console"
        self._commands = host.shared / f"{name}.commands"
        self._line: socket.socket | None = None
        self._gateways = gateways
        settings = {"name": name, "addresses": ",".join(addresses), "gateways": ",".join(gateways)}
        xml = DOMAIN_XML.format(
            name=name,
            network=network,
            mac=f"<mac address='{mac}'/>" if mac else "",
            settings=" ".join(f"guest.{key}={value}" for key, value in settings.items()),
            image=IMAGE,
            shared=SHARED,
        )
        host.write("/run/bench-guest.xml", xml)
        host.virsh("define", "/run/bench-guest.xml")

    def start(self) -> None:
        """Start it and return when its addresses and its web server are up (4 to 10 s)."""
        self._console.unlink(missing_ok=True)
        self._host.virsh("start", self.name)
        wait_for(lambda: f"guest {self.name} is up" in self.console(), f"guest {self.name} is up", 90)
        self._connected_line()  # without which the guest looks for it all the time, an eighth of a processor

    def stop(self) -> None:
        """Turn it off at once."""
        self.hang_up()
        self._host.virsh("destroy", self.name)

    def console(self) -> str:
        """What the guest printed since it was started."""
        return self._console.read_text(errors="replace") if self._console.exists() else ""

    def run(self, command: str, *, check: bool = True, timeout: int = 30) -> str:
        """Run a shell command in the guest and return its output, standard error included.

        It is ended after `timeout` seconds. Raises CommandError when it fails, unless not `check`.
        """
        status, output = self._execute(command, timeout)
        if check and status != 0:
            raise CommandError(f"{self.name}: {command}: status {status}\n{output}")
        return output

    def fetch(self, url: str, *, source: str | None = None, timeout: int = 3) -> str | None:
        """What the web server at `url` answers; None without an answer.

        The request comes from the guest's address `source`, or from what routing chooses.
        """
        target = urlsplit(url).hostname or ""
        wget = f"timeout {timeout} wget -q -O - '{url}'"  # its own -T crashes in the static build
        if source is None:
            command = wget
        else:
            # busybox has no client that binds to an address: a route for this one request chooses it
            version = ip_address(source).version
            gateway = next(gateway for gateway in self._gateways if ip_address(gateway).version == version)
            route = f"{target} via {gateway} dev eth0 src {source}"
            command = f"ip route add {route}; {wget}; answer=$?; ip route del {route}; exit $answer"
        status, output = self._execute(command, timeout + 30)
        if status not in (0, *NO_ANSWER):
            raise CommandError(f"{self.name}: {command}: status {status}\n{output}")
        return output.strip() if status == 0 else None

    def _execute(self, command: str, timeout: int) -> tuple[int, str]:
        identifier = secrets.token_hex(4)
        request = f"{identifier} {timeout} {base64.b64encode(command.encode()).decode()}\n"
        line = self._connected_line()
        line.settimeout(timeout + ANSWER_SECONDS)
        line.sendall(request.encode())
        received = b""
        try:
            # an answer to an earlier request that was given up may come first
            while not (answer := re.search(rf"^{identifier} (\d+) (.*)\n", received.decode(), re.MULTILINE)):
                part = line.recv(65536)
                if not part:
                    raise ConnectionResetError
                received += part
        except (TimeoutError, ConnectionError):
            raise CommandError(f"{self.name}: {command}: the guest does not answer\n{self.console()}") from None
        return int(answer[1]), base64.b64decode(answer[2]).decode(errors="replace")

    def _connected_line(self) -> socket.socket:
        """The line to the running guest: one connection for its whole life."""
        if self._line is None:
            self._line = socket.socket(socket.AF_UNIX)
            self._line.connect(str(self._commands))
        return self._line

    def hang_up(self) -> None:
        """Close the line to the guest."""
        if self._line is not None:
            self._line.close()
            self._line = None
