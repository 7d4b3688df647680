"""What BIRD and FRR print of what they announce. Real daemons are in tests/hosts/test_announcing.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nethook.host.process import Result
from nethook.routing_daemons.asking import FRR_SOCKET, Announced, announced, bird_routes, renewal, said_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nethook.host import Host
    from nethook.host.process import Call

BIRD = """BIRD 2.0.12 ready.
Table master4:
203.0.113.11/32      unicast [h2_4 04:58:46.173] * (100) [AS65002i]
	via 198.51.100.12 on switch
203.0.113.16/29      unicast [nethook_kernel4 04:57:44.691] * (10)
	dev br-public
                     unicast [h2_4 04:58:46.173] (100) [AS65002i]
	via 198.51.100.12 on switch

Table master6:
2001:db8:7::10/128   unicast [nethook_kernel6 04:57:44.691] * (10)
	dev br-public
"""
SUMMARY = {
    "ipv4Unicast": {"peers": {"198.51.100.1": {"state": "Established"}, "198.51.100.2": {"state": "Active"}}},
    "ipv6Unicast": {"peers": {"x; reboot": {"state": "Established"}}},
}
HEARD = {"routes": {"203.0.113.11/32": [{"peerId": "198.51.100.1", "nexthops": [{"ip": "198.51.100.12"}]}]}}
OWN = {"routes": {"203.0.113.10/32": [{"peerId": "(unspec)", "nexthops": [{"ip": "::"}]}]}}
SENT: dict[str, dict[str, object]] = {"advertisedRoutes": {"203.0.113.10/32": {}, "2001:db8:7:1::/64": {}}}


class Answering:
    """A host with FRR, whose vtysh says what it is told to say."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def has_listener(self, path: str) -> bool:
        return path == FRR_SOCKET

    def start(self, calls: Sequence[Call]) -> Callable[[], list[Result]]:
        self.asked += map(str, calls)
        return lambda: [Result(call, 0, self._answers.pop(0), "") for call in calls]


def asked(host: object) -> Announced:
    (found,) = announced(host, ["203.0.113.10", "203.0.113.11"])  # type: ignore[arg-type]
    return found


def test_routes_of_bird_and_their_next_hops() -> None:
    assert bird_routes(BIRD) == {
        "203.0.113.11": "198.51.100.12",
        "203.0.113.16/29": "198.51.100.12",
        "2001:db8:7::10": "",
    }


def test_frr_says_what_goes_out_and_what_comes_in() -> None:
    answers = "".join(f"{json.dumps(each)}\n" for each in (SUMMARY, HEARD, OWN))
    host = Answering(answers, json.dumps(SENT), "route-map: NETHOOK-OWN4 Invoked: 0")
    found = asked(host)
    assert found.prefixes == {"203.0.113.10"}
    assert found.elsewhere == {"203.0.113.11": "198.51.100.12"}
    assert (found.is_ours, found.sessions, found.failure) == (True, 1, "")
    assert not any("reboot" in each for each in host.asked)


@pytest.mark.parametrize("text", ["{", '{"a":', "\0{\x1b"])
def test_what_is_not_understood_is_a_failure(text: str) -> None:
    assert asked(Answering(text)).failure


@pytest.mark.parametrize("text", ["", "% BGP instance not found", '{"ipv4Unicast": 7}', "{}"])
def test_frr_without_bgp_is_not_about_us(text: str) -> None:
    found = asked(Answering(text, "route-map NETHOOK-OWN4: not found"[:9]))
    assert not found.is_about_us


def test_the_word_in_the_column() -> None:
    here = Announced("BIRD", prefixes=frozenset({"a", "c"}), elsewhere={"b": "198.51.100.12", "c": "198.51.100.12"})
    assert [said_of(prefix, [here]) for prefix in "abcd"] == [
        "yes",
        "by 198.51.100.12",
        "yes, and by 198.51.100.12",
        "no",
    ]
    assert said_of("d", [here, Announced("FRR", failure="it hangs")]) == "unknown"


class WithFile:
    """A host with this configuration of BIRD."""

    def __init__(self, text: str | None) -> None:
        self._text = text

    def read(self, _: str) -> str | None:
        return self._text


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (None, "nethook routing-daemon bird"),
        ("#   nethook routing-daemon bird --asn 65001\n", "nethook routing-daemon bird --asn 65001"),
        ("#   nethook routing-daemon bird; reboot\n", "nethook routing-daemon bird"),
        ("#   nethook routing-daemon bird $(reboot)\n", "nethook routing-daemon bird"),
    ],
)
def test_the_command_that_renews_a_configuration(text: str | None, command: str) -> None:
    host: Host = WithFile(text)  # type: ignore[assignment]
    file = "/etc/bird/nethook.conf"
    assert renewal("BIRD", host) == f"{command} > {file}.new && mv {file}.new {file} && birdc configure"
