"""The sockets of this host's own programs, as /proc lists them.

https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
"""

from __future__ import annotations

import os
import sys

from nethook.errors import ReadError
from nethook.host.files import read
from nethook.prefix import address_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

PROTOCOLS = (("tcp", 4), ("tcp", 6), ("udp", 4), ("udp", 6))
ESTABLISHED, UNCONNECTED, LISTENING = "01", "07", "0A"
"""States of sockets: include/net/tcp_states.h. A UDP socket without a peer is TCP_CLOSE."""
MAPPED = bytes(10) + b"\xff\xff"
"""How an IPv4 address begins that a socket of IPv6 has (RFC 4291, section 2.5.5.2)."""
LOOPBACK = ("127.", "::1")
SSHD, SSH_PORT = "sshd", 22
"""How the names of its programs begin (sshd, sshd-session, sshd-auth), and its usual port."""
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what a socket has that listens at all addresses


class Socket:
    """A socket: its protocol, own address and port, the address of its peer; the program that has it, and its number.

    ``program`` is '' and ``pid`` 0 where nobody can tell. ``is_listening``: it takes what anybody sends.
    """

    __slots__ = ("address", "inode", "is_listening", "peer", "pid", "port", "program", "protocol")

    def __init__(self, protocol: str, address: str, port: int, peer: str, inode: str, *, is_listening: bool) -> None:
        self.protocol = protocol
        self.address = address
        self.port = port
        self.peer = peer
        self.inode = inode
        self.is_listening = is_listening
        self.program = ""
        self.pid = 0

    def is_at(self, address: str, *, is_any: bool) -> bool:
        """Return whether it takes packets to this address; ``is_any``: to any by which others reach the host."""
        if is_any and not self.address.startswith(LOOPBACK):
            return True
        return self.address == address or (self.address in EVERYWHERE and self._may_be_at(address))

    def _may_be_at(self, address: str) -> bool:
        # A socket at :: mostly takes IPv4, too (net.ipv6.bindv6only).
        return self.address == "::" or ":" not in address


def sockets() -> list[Socket]:
    """Return the sockets of TCP that are connected or listen, and those of UDP that take what anybody sends.

    ReadError if they cannot be read. Only root may know whose a socket is, and nethook.service may not, because it has
    no CAP_SYS_PTRACE (proc_pid_fd(5)). So an unknown one at a port of sshd counts as sshd's.
    """
    found = [each for protocol, family in PROTOCOLS for each in _listed(protocol, family)]
    by_inode = _programs({each.inode for each in found})
    unknown = []
    for each in found:
        each.pid, each.program = by_inode.get(each.inode, (0, ""))
        if not each.pid and each.protocol == "tcp":
            unknown.append(each)
    ports = ports_of_sshd() if unknown else ()
    for each in unknown:
        each.program = SSHD if each.port in ports else ""
    return found


def ssh_peers() -> set[str]:
    """Return the addresses from which somebody is connected to a port of sshd. ReadError if they cannot be read."""
    ports = ports_of_sshd()
    connected = (each for family in (4, 6) for each in _listed("tcp", family) if not each.is_listening)
    return {each.peer for each in connected if each.port in ports}


def ports_of_sshd(folder: str = "/etc/ssh") -> set[int]:
    """Return the ports in the files of sshd_config(5); 22 if they name none, or cannot be read."""
    folder_of_parts = f"{folder}/sshd_config.d"
    try:
        parts = sorted(os.listdir(folder_of_parts))
    except OSError:
        parts = []
    ports: dict[str, set[int]] = {"port": set(), "listenaddress": set()}
    for path in (f"{folder}/sshd_config", *(f"{folder_of_parts}/{name}" for name in parts if name.endswith(".conf"))):
        try:
            text = read(path) or ""
        except OSError:
            continue
        for line in text.splitlines():
            key, *values = line.replace("=", " ", 1).split() or [""]
            found = ports.get(key.lower())
            if found is None or not values:
                continue
            host, _, port = values[0].rpartition(":")  # of ListenAddress: an address, maybe with a port
            if port.isdigit() and (":" not in host or host.endswith("]")):
                found.add(int(port))
    return ports["listenaddress"] | (ports["port"] or {SSH_PORT})


def _listed(protocol: str, family: int) -> Iterator[Socket]:
    path = f"/proc/net/{protocol}{'6' * (family == 6)}"
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()[1:]
    except FileNotFoundError:  # a kernel without IPv6
        return
    except OSError as error:
        raise ReadError(f"cannot read {path}: {error.strerror}") from None
    wanted = {ESTABLISHED, LISTENING} if protocol == "tcp" else {UNCONNECTED}
    for words in map(str.split, lines):
        if words[3] in wanted:
            (address, port), (peer, _) = map(_end, words[1:3])
            yield Socket(protocol, address, port, peer, words[9], is_listening=words[3] != ESTABLISHED)


def _end(text: str) -> tuple[str, int]:
    """Return address and port; the kernel writes the address in words of four bytes in the order of the machine."""
    digits, _, port = text.partition(":")
    raw = bytes.fromhex(digits)
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    raw = raw.removeprefix(MAPPED) if len(raw) == 16 else raw
    return address_text(4 if len(raw) == 4 else 6, int.from_bytes(raw, "big")), int(port, 16)


def _programs(inodes: Collection[str]) -> dict[str, tuple[int, str]]:
    """Return number and name of the program that has each of these sockets, as far as this process may know."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, tuple[int, str]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            targets = map(_target, [f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd")])
            held = [wanted[target] for target in targets if target in wanted]
            if held:
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                    name = file.read().strip()
                found.update({inode: (int(pid), name) for inode in held if found.get(inode, (1,))[0] == 1})
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return found


def _target(path: str) -> str:
    """Return the target of a link; '' if it is gone meanwhile, as a file that the program has closed."""
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""


def has_listener(path: str) -> bool:
    """Return whether a program listens at the Unix socket with this path, and may be asked by this user."""
    import socket  # noqa: PLC0415 - few runs need it

    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(1)
        try:
            line.connect(path)
        except OSError:
            return False
    return True
