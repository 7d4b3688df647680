"""IPv6 prefixes on the link: when check and doctor warn of them, and with which numbers."""

from __future__ import annotations

import pytest

from nethook.doctor import on_link
from nethook.doctor.facts import Target
from tests.unit.lines import routed

SETTINGS = {"gc_thresh3": 1024, "mcast_solicit": 3, "retrans_time_ms": 1000}
FILE = """\
2001:db8:7::/64 public
2001:db8:8::/64 public guest=web1
2001:db8:9::/64 public guest=web1 via=fe80::5054:ff:fe12:3456
2001:db8:a::/117 public
2001:db8:a:1::/118 public
2001:db8:a:2::1 public
203.0.0.0/16 public
"""


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The kernel's, by the last part of their names; without an entry, they cannot be read."""
    found = dict(SETTINGS)
    monkeypatch.setattr(on_link, "sysctl", lambda name: found.get(name.rpartition("/")[2]))
    return found


def warned() -> list[str]:
    return [str(problem.place) for problem in on_link.warnings(routed(FILE))]


def test_the_warning_names_the_numbers_of_this_host(settings: dict[str, int]) -> None:
    (warning,) = on_link.warnings(routed("2001:db8:7::/64 public"))
    assert str(warning) == (
        "routed-ips:1:1: warning: 2001:db8:7::/64 is on the link: anybody who sends 341 packets a second to its unused "
        "addresses keeps the host's IPv6 neighbour table full (net.ipv6.neigh.default.gc_thresh3 = 1024), and IPv6 "
        "fails on all devices; write via= with an address that its guest has, such as its link-local one; "
        "routed-ips(5) says why"
    )
    settings.update(gc_thresh3=8192, retrans_time_ms=2000)
    (warning,) = on_link.warnings(routed("2001:db8:7::/64 public"))
    assert "sends 1365 packets a second" in warning.what
    assert "gc_thresh3 = 8192" in warning.what


def test_prefixes_that_fit_into_the_table_and_such_behind_a_next_hop_are_fine(settings: dict[str, int]) -> None:
    assert warned() == [f"routed-ips:{line}:1" for line in (1, 2, 4)]
    settings["gc_thresh3"] = 2048
    assert warned() == [f"routed-ips:{line}:1" for line in (1, 2)]
    settings.clear()
    assert warned() == [f"routed-ips:{line}:1" for line in (1, 2, 4)]


def test_the_doctor_warns_too() -> None:
    targets = [Target(line, line.prefix.text, is_exact=False) for line in routed(FILE)]
    found = list(on_link.on_link([*targets, *targets]))
    assert [(finding.verdict, *finding.addresses) for finding in found] == [
        ("warning", "2001:db8:7::/64"),
        ("warning", "2001:db8:8::/64"),
        ("warning", "2001:db8:a::/117"),
    ]
    assert found[0].advice.startswith("at routed-ips:1:1: write via= ")
