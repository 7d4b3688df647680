"""A guest: a real QEMU domain that runs guest_files/init."""

from __future__ import annotations

import base64
import json
import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr
from zlib import crc32

from lab.hosts.container import SHARED
from lab.hosts.guest_image import KERNEL_OPTIONS
from lab.processes import CommandError
from lab.waiting import wait_for

if TYPE_CHECKING:
    from lab.hosts.host import Host

# Where hosts have the guest image.
IMAGE = "/var/lib/bench/image"

# Fit for paths of sockets, which have to be short, for host names and for the kernel's command line.
PLAIN_NAME = re.compile(r"[A-Za-z0-9-]{1,30}")

# How long a guest may take to answer after its command has ended.
ANSWER_SECONDS = 20

DOMAIN_XML = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>96</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{image}/kernel</kernel>
    <initrd>{image}/initramfs</initrd>
    <cmdline>{options}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    {nics}
    <serial type='file'><source path='{shared}/{label}.console'/><target port='0'/></serial>
    <channel type='unix'>
      <source mode='bind' path='{shared}/{label}.commands'/><target type='virtio' name='commands'/>
    </channel>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


BROKEN = ("is not a head!", "Kernel panic", "Oops", "BUG: ", "general protection", "rcu_sched self-detected stall")
"""What the kernel of a guest says when its memory is wrong."""

SEND_FRAME = """import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
    line.bind((sys.argv[1], 0x88B5))
    line.send(b"\\xff" * 6 + b"\\x02\\0\\0\\0\\0\\1" + b"\\x88\\xb5" + bytes(46))
"""
"""Sends a frame of a type for experiments to everybody behind an interface."""

BY_DHCP = """ip link set {interface} up
cat >/tmp/lease <<'SCRIPT'
#!/bin/sh
[ $1 = bound ] || exit 0
ip address replace $ip/24 dev $interface
ip route | grep -q ^default || ip route add default via $router
echo got $ip
SCRIPT
chmod 755 /tmp/lease; udhcpc -i {interface} -n -q -s /tmp/lease"""


class Nic(NamedTuple):
    """A network interface: its libvirt network, and its MAC address if libvirt shall not choose."""

    network: str
    mac: str | None = None

    @property
    def xml(self) -> str:
        mac = f"<mac address='{self.mac}'/>" if self.mac else ""
        source = f"<source network={quoteattr(self.network)}/>"
        return f"<interface type='network'>{mac}{source}<model type='virtio'/><rom enabled='no'/></interface>"


class Guest:
    """Answers HTTP on every address with its label and the client's address; runs commands.

    Its label is its name, or stands for it where a name is not fit for files and host names. Commands go over a virtio
    channel, so they work whatever state the network is in. (An emulated serial line loses bytes under load.)
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
        more_nics: Sequence[Nic],
    ) -> None:
        """Define the domain.

        `addresses` have a prefix length, `gateways` (one per family) may lie outside of all of them; both are for
        the first NIC, eth0. The others are there, and down.
        """
        self._host = host
        self.name = name
        self.label = name if PLAIN_NAME.fullmatch(name) else f"guest-{crc32(name.encode()):08x}"
        self._line: socket.socket | None = None
        settings = {"name": self.label, "addresses": ",".join(addresses), "gateways": ",".join(gateways)}
        self._xml = DOMAIN_XML.format(
            name=escape(name),
            label=self.label,
            nics="".join(nic.xml for nic in (Nic(network, mac), *more_nics)),
            options=" ".join([*KERNEL_OPTIONS, *(f"guest_{key}={value}" for key, value in settings.items())]),
            image=IMAGE,
            shared=SHARED,
        )
        self._virsh_with_file("define", self._xml)

    def start(self) -> None:
        """Start it and return when its addresses and its web server are up (2 to 6 s)."""
        self._begin(lambda: self._host.virsh("start", "--domain", self.name))

    def start_transient(self) -> None:
        """Start it without a definition, and return when it is up; it must not be defined."""
        self._begin(lambda: self._virsh_with_file("create", self._xml))

    def stop(self) -> None:
        """Turn it off at once."""
        self.hang_up()
        self._host.virsh("destroy", "--domain", self.name)

    def crash(self) -> None:
        """End its QEMU as the kernel does when memory runs out. libvirt has to find that out."""
        self.hang_up()
        self._host.run(["kill", "-KILL", self._host.read(f"/run/libvirt/qemu/{self.name}.pid").strip()])

    def state(self) -> str:
        """As libvirt calls it: running, paused, shut off, ..."""
        return self._host.virsh("domstate", "--domain", self.name).strip()

    def rename(self, name: str) -> None:
        """Give it another name while it is off. Its label stays."""
        self._host.virsh("domrename", "--domain", self.name, name)
        self.name = name

    def plug(self, nic: Nic, interface: str = "eth0") -> None:
        """Plug a NIC into the running guest; its interface gets the guest's addresses."""
        self._virsh_with_file("attach-device", nic.xml, "--live", "--domain", self.name)
        self.run(f"configure {interface}")

    def change(self, nic: Nic, more: str = "") -> None:
        """Have libvirt make a NIC of the running guest like this, with ``more`` in its XML."""
        xml = nic.xml.replace("</interface>", f"{more}</interface>")
        self._virsh_with_file("update-device", xml, "--live", "--domain", self.name)

    def unplug(self, mac: str) -> None:
        """Unplug a NIC from the running guest, and return when the guest has let it go."""
        interface = ["detach-interface", "--live", "--type", "network", "--mac", mac, "--domain", self.name]
        self._host.virsh(*interface)
        wait_for(lambda: mac not in self._host.virsh("domiflist", "--domain", self.name), f"{mac} is unplugged")

    def migrate(self, target: Host) -> None:
        """Move it to another host while it runs. Both have to listen (SystemdHost.listen) and to have its network."""
        self.hang_up()
        uris = [f"qemu+tcp://{target.place.ipv4}/system", "--migrateuri", f"tcp://{target.place.ipv4}"]
        self._host.virsh(
            "migrate", "--live", "--p2p", "--persistent", "--unsafe", "--domain", self.name, "--desturi", *uris
        )
        self._belongs_to(target)
        self._connected_line()

    @property
    def is_lost(self) -> bool:
        """True if a migration has broken its kernel or its NIC: its memory is of another time than the devices.

        Without KVM, QEMU (7.2 to 10.0 seen) now and then misses a page that was written while it was copied. Whether
        frames pass between the NIC and its tap has nothing to do with addresses, routes and rules.
        """
        if any(each in self.console() for each in BROKEN):
            return True
        try:
            received, sent = self._frames()
            self.run("ping -c 1 -W 1 -I eth0 ff02::1", check=False)
            self._host.run(["python3", "-c", SEND_FRAME, self._tap])
            later_received, later_sent = self._frames()
        except (CommandError, OSError):  # it does not even answer over its virtio channel
            return True
        return later_received == received or later_sent == sent

    def _frames(self) -> tuple[int, int]:
        """How many frames the guest has received, and how many have come out of its tap."""
        received = self.run("cat /sys/class/net/eth0/statistics/rx_packets")
        (tap,) = json.loads(self._host.run(["ip", "-j", "-s", "link", "show", "dev", self._tap]).stdout)
        return int(received), int(tap["stats64"]["rx"]["packets"])

    @property
    def _tap(self) -> str:
        """The tap of its first NIC."""
        return self._host.virsh("domiflist", "--domain", self.name).split()[0]

    def start_on(self, target: Host) -> None:
        """Start it on a host that has its definition, as after a migration, and return when it is up."""
        self.hang_up()
        self._belongs_to(target)
        self.start()

    def start_anew_on(self, target: Host) -> None:
        """The same, on whichever of its hosts and in whatever state it is now."""
        for host in (self._host, target):
            host.run(["virsh", "destroy", "--domain", self.name], check=False)
        self.start_on(target)

    def is_on(self, host: Host) -> bool:
        """Return whether it is a guest of this host."""
        return self._host is host

    def _belongs_to(self, target: Host) -> None:
        self._host.guests.remove(self)
        target.guests.append(self)
        self._host = target

    def console(self) -> str:
        """What the guest printed since it was started."""
        return self._console.read_text(errors="replace") if self._console.exists() else ""

    @property
    def _console(self) -> Path:
        return self._host.shared / f"{self.label}.console"

    def _begin(self, start: Callable[[], str]) -> None:
        self._console.unlink(missing_ok=True)
        start()
        wait_for(lambda: f"guest {self.label} is up" in self.console(), f"guest {self.name} is up", 180)
        self._connected_line()  # without which the guest looks for it all the time, an eighth of a processor

    def _virsh_with_file(self, command: str, xml: str, *arguments: str) -> str:
        self._host.write("/run/bench-guest.xml", xml)
        return self._host.virsh(command, "--file", "/run/bench-guest.xml", *arguments)

    def run(self, command: str, *, check: bool = True, timeout: int = 30) -> str:
        """Run a shell command in the guest and return its output, standard error included.

        It is ended after `timeout` seconds. Raises CommandError when it fails, unless not `check`.
        """
        status, output = self._execute(command, timeout)
        if check and status != 0:
            raise CommandError(f"{self.name}: {command}: status {status}\n{output}")
        return output

    def ask_for_address(self, interface: str = "eth0") -> str:
        """Ask for an address by DHCP, use it, and return it. Its gateway is used if there is none."""
        return self.run(BY_DHCP.format(interface=interface)).rpartition("got ")[2].split()[0]

    def fetch(self, url: str, *, source: str | None = None, timeout: int = 3) -> str | None:
        """What the web server at `url` answers; None without an answer.

        The request comes from the guest's address `source`, or from what routing chooses.
        """
        (answer,) = self.fetch_from({source or "-": urlsplit(url).hostname or ""}, timeout)
        return answer

    def fetch_from(self, targets: Mapping[str, str], timeout: int) -> list[str | None]:
        """What the web server at each target answers to a request from the guest's address that is its key.

        It takes one process for all, because a process is what is dear in a guest.
        """
        words = [word for source, target in targets.items() for word in (target, source)]
        answers = self.run(f"fetch {timeout} {' '.join(words)}", timeout=3 * timeout * len(targets) + 30)
        return [answer or None for answer in answers.splitlines()]

    def _execute(self, command: str, timeout: int) -> tuple[int, str]:
        identifier = secrets.token_hex(4)
        escaped = command.replace("\\", r"\\").replace("\n", r"\n")
        request = f"{identifier} {timeout} {escaped}\n"
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
            line = socket.socket(socket.AF_UNIX)
            line.connect(str(self._host.shared / f"{self.label}.commands"))
            self._line = line
        return self._line

    def hang_up(self) -> None:
        """Close the line to the guest."""
        if self._line is not None:
            self._line.close()
            self._line = None
