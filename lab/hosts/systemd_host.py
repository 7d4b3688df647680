"""A host with systemd: everything in it starts, restarts and logs as on real hosts."""

from __future__ import annotations

from lab.hosts.host import Host


class SystemdHost(Host):
    def start_firewalld(self) -> None:
        """Run firewalld from now on, with libvirt restarted to find it."""
        self.run(["systemctl", "enable", "--now", "firewalld"])
        self.restart_libvirtd()

    def reboot(self) -> None:
        """Shut the host down in good order and start it, in a network namespace as it was at first."""
        self._container.shut_down()
        self._renew_network()
        self.boot()

    def restart_libvirtd(self) -> None:
        self.run(["systemctl", "restart", "libvirtd"])
        self.wait_for_libvirt()

    def reload_libvirtd(self) -> None:
        self.run(["systemctl", "reload", "libvirtd"])
        self.wait_for_libvirt()

    def listen(self) -> None:
        """Let libvirt be told from outside, by everybody, as a migration needs it."""
        self.write("/etc/libvirt/libvirtd.conf", 'auth_tcp = "none"\n')
        self.run(["systemctl", "stop", "libvirtd"])
        self.run(["systemctl", "start", "libvirtd-tcp.socket"])
        self.restart_libvirtd()

    def syslog(self, identifier: str | None = None) -> str:
        only = [f"--identifier={identifier}"] if identifier else []
        return self.run(["journalctl", "--no-pager", "--output=short-iso", *only], check=False).stdout

    def _nspawn_options(self) -> list[str]:
        return ["--boot"]

    def _is_up(self) -> bool:
        state = self.run(["systemctl", "is-system-running", "--wait"], check=False).stdout.strip()
        return state in ("running", "degraded")
