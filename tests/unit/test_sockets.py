"""The ports of sshd, where nobody may tell whose a socket is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.host.sockets import ports_of_sshd

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("config", "part", "ports"),
    [
        ("", "", {22}),
        ("# Port 2222\nUsePAM yes\nPortable\n\n", "", {22}),
        ("Port 2222\nport=2223\n", "", {2222, 2223}),
        ("Port 2222\n", "Port 2224\n", {2222, 2224}),
        ("ListenAddress 203.0.113.1:2225\nListenAddress [2001:db8::1]:2226\n", "Port 2227\n", {2225, 2226, 2227}),
        ("ListenAddress 203.0.113.1\nListenAddress 2001:db8::5\n", "", {22}),
    ],
)
def test_ports_in_its_files(tmp_path: Path, config: str, part: str, ports: set[int]) -> None:
    (tmp_path / "sshd_config").write_text(config)
    (tmp_path / "sshd_config.d").mkdir()
    (tmp_path / "sshd_config.d" / "10-admin.conf").write_text(part)
    assert ports_of_sshd(str(tmp_path)) == ports


def test_without_files_it_is_the_usual_one(tmp_path: Path) -> None:
    assert ports_of_sshd(str(tmp_path)) == {22}
