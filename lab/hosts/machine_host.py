"""The machine's own libvirt as a host: its root is the machine's, its state and network are its own.

There is no systemd in it, so the daemons are started and stopped here.
"""

from __future__ import annotations

import signal

from lab.hosts.host import QEMU_CONF, Host
from lab.waiting import wait_for

# The machine's own networks, guests and hooks must not appear in here.
LIBVIRT_FOLDERS = ["/etc/libvirt", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt"]

INIT = "/usr/local/sbin/bench-init"
PID_FILE = "/run/libvirtd.pid"
SYSLOG = "/var/log/bench-syslog"

START_DAEMONS = f"""#!/bin/sh -e
mkdir -p /run/dbus
dbus-daemon --system --fork
busybox syslogd -O {SYSLOG}
libvirtd --daemon
exec sleep infinity
"""


class MachineHost(Host):
    def _add_files(self, firewall_backend: str | None) -> None:
        for folder in LIBVIRT_FOLDERS:
            self._container.empty_folder(folder)
        super()._add_files(firewall_backend)
        # nobody but virtlogd could write consoles to log files, and it is not running
        self._container.add_file("/etc/libvirt/qemu.conf", QEMU_CONF + 'stdio_handler = "file"\n')
        self._container.add_file("/etc/libvirt/libvirtd.conf", 'auth_unix_rw = "none"\n')  # no polkit here to ask
        self._container.add_file(INIT, START_DAEMONS, 0o755)

    def restart_libvirtd(self) -> None:
        pid = self._libvirtd_pid()
        self._signal_libvirtd(signal.SIGTERM)
        wait_for(lambda: self.run(["kill", "-0", pid], check=False).returncode != 0, "libvirtd has ended")
        self.run(["libvirtd", "--daemon"])
        self.wait_for_libvirt()

    def reload_libvirtd(self) -> None:
        self._signal_libvirtd(signal.SIGHUP)
        self.wait_for_libvirt()

    def syslog(self, identifier: str | None = None) -> str:
        lines = self.run(["cat", SYSLOG], check=False).stdout.splitlines(keepends=True)
        return "".join(line for line in lines if identifier is None or f" {identifier}" in line)

    def _nspawn_options(self) -> list[str]:
        return ["--as-pid2", INIT]

    def _is_up(self) -> bool:
        return self.run(["test", "-s", PID_FILE], check=False).returncode == 0

    def _libvirtd_pid(self) -> str:
        return self.read(PID_FILE).strip()

    def _signal_libvirtd(self, number: signal.Signals) -> None:
        self.run(["kill", f"-{number.value}", self._libvirtd_pid()])
