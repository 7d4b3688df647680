"""A real Prometheus and a real node_exporter, of Debian's packages, on a host of the lab.

The packages are unpacked, not installed: as installed ones, they would run as services of this machine.
"""

from __future__ import annotations

import json
import subprocess
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from lab.hosts.cache import cached
from lab.processes import run
from lab.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.namespace import Namespace

PACKAGES = ("prometheus", "prometheus-node-exporter")
HERE = "127.0.0.1"
EXPORTER_PORT, PROMETHEUS_PORT = 9100, 9090
CONFIGURATION = f"""
global:
  scrape_interval: 500ms
scrape_configs:
  - job_name: node
    static_configs:
      - targets: ["{HERE}:{EXPORTER_PORT}"]
"""
SECONDS = 30.0
"""Until they have started, and until what a file says is in the database."""


class Programs(NamedTuple):
    """The paths of the programs."""

    prometheus: Path
    promtool: Path
    node_exporter: Path


def programs() -> Programs:
    """Return the programs, downloaded (23 MB) when the cache does not have them."""
    folder = cached("monitoring", " ".join(PACKAGES), _build) / "usr/bin"
    return Programs(folder / "prometheus", folder / "promtool", folder / "prometheus-node-exporter")


def _build(folder: Path) -> None:
    download = 'apt-get download -qq "$@"'
    script = (
        f'cd "$0"; {download} || {{ apt-get -qq update; {download}; }}'  # a list may be older than a security update
    )
    script += '; for each in *.deb; do dpkg -x "$each" .; done; rm ./*.deb'
    run(["sh", "-ec", script, folder, *PACKAGES], timeout=300)


class Monitoring:
    """Both programs, running in a namespace: node_exporter reads the files in ``textfiles``."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        """Start them; ``folder`` is for what they read and write."""
        found = programs()
        self._namespace = namespace
        self._folder = folder
        self.textfiles = folder / "textfiles"
        self.textfiles.mkdir()
        configuration = folder / "prometheus.yml"
        configuration.write_text(CONFIGURATION, encoding="utf-8")
        self._running = [
            self._started(
                [
                    *(str(found.node_exporter), "--collector.disable-defaults", "--collector.textfile"),
                    f"--collector.textfile.directory={self.textfiles}",
                    f"--web.listen-address={HERE}:{EXPORTER_PORT}",
                ],
            ),
            self._started(
                [
                    *(
                        str(found.prometheus),
                        f"--config.file={configuration}",
                        f"--storage.tsdb.path={folder / 'tsdb'}",
                    ),
                    f"--web.listen-address={HERE}:{PROMETHEUS_PORT}",
                ],
            ),
        ]

    def _started(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a program, which ends with us however we end."""
        words = ["setpriv", "--pdeathsig", "KILL", *argv]
        with self._log.open("ab") as log, self._namespace.entered():
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def close(self) -> None:
        """End them."""
        for each in self._running:
            each.kill()
            each.wait()

    def scraped(self) -> str:
        """Return what node_exporter says."""
        return self._get(EXPORTER_PORT, "/metrics")

    def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """Return the value of each series that Prometheus finds now, by the values of its labels, sorted by name.

        The labels that Prometheus adds itself are left out.
        """
        answer = json.loads(self._get(PROMETHEUS_PORT, f"/api/v1/query?{urlencode({'query': expression})}"))
        own = {"__name__", "instance", "job"}
        return {
            tuple(value for name, value in sorted(each["metric"].items()) if name not in own): float(each["value"][1])
            for each in answer["data"]["result"]
        }

    def wait_for(self, expression: str, wanted: Mapping[Any, float]) -> None:
        """Wait until Prometheus finds exactly these series. WaitError, with what it finds, if it does not."""
        seen: list[Any] = []

        def is_found() -> bool:
            seen[:] = [self._tried(expression)]
            return seen == [wanted]

        try:
            wait_for(is_found, expression, SECONDS)
        except Exception as error:
            raise AssertionError(f"{error}\n{self._log.read_text()}\nwanted {wanted}\nfound {seen}") from None

    def _tried(self, expression: str) -> dict[tuple[str, ...], float] | str:
        try:
            return self.query(expression)
        except (OSError, ValueError) as error:  # it has not started yet
            return str(error)

    def _get(self, port: int, path: str) -> str:
        with self._namespace.entered():
            connection = HTTPConnection(HERE, port, timeout=SECONDS)
            connection.connect()
        connection.request("GET", path)
        body = connection.getresponse().read().decode()
        connection.close()
        return body
