"""The words that `nethook trace` takes, and the packets that they stand for."""

from __future__ import annotations

import pytest

from nethook.config import Configuration, Settings
from nethook.config.forwarded_ports import parse_forwarded_ports
from nethook.config.routed_ips import parse_routed_ips
from nethook.errors import NethookError
from nethook.host.packet_choice import Choice
from nethook.placement.forwarded import FORWARDED, Forwarding
from nethook.prefix import parse_prefix
from nethook.tracing.subject import Asked, Subject, subject

ROUTED = b"203.0.113.10 public\n203.0.113.16/29 public\n2001:db8:7::/64 other\n"
FORWARDS = b"""203.0.113.1:80,443 public to=192.0.2.11
203.0.113.1:5000-5009/udp public to=192.0.2.11
203.0.113.1:8080 public to=192.0.2.11:80
203.0.113.1:22 -
203.0.113.5 public to=192.0.2.12
[2001:db8::1]:443 public to=[2001:db8:1::11]:8443
"""


def of(word: str, **more: bool | int | str) -> Subject:
    routed, _ = parse_routed_ips([("routed-ips", ROUTED)])
    forwards, problems = parse_forwarded_ports([("forwarded-ports", FORWARDS)])
    assert not problems
    configuration = Configuration(Settings(), routed, [], forwards=forwards)
    forwardings = [Forwarding(line, FORWARDED, bridge="virbr1", target=line.to or "") for line in forwards]
    return subject(Asked(word, **more), configuration, forwardings, {"public": "virbr1", "other": "virbr2"})  # type: ignore[arg-type]


def number(address: str) -> int:
    return parse_prefix(address).first


def test_an_address_in_a_prefix() -> None:
    found = of("203.0.113.17")
    assert found.choices == [Choice(4, number("203.0.113.17"), True), Choice(4, number("203.0.113.17"), False)]
    assert (found.expected.bridge, found.expected.is_rewritten, found.guest) == ("virbr1", False, "203.0.113.17")
    assert of("2001:db8:7::9").expected.bridge == "virbr2"


def test_one_direction_and_one_port() -> None:
    assert of("203.0.113.10", to_guest=False).choices == [Choice(4, number("203.0.113.10"), False)]
    found = of("203.0.113.10", from_guest=False, port=443)
    assert found.choices == [Choice(4, number("203.0.113.10"), True, 443)]
    assert (found.name, found.ports) == ("203.0.113.10:443", ((443, (6, 17)),))
    assert of("203.0.113.10:443").choices == of("203.0.113.10", port=443).choices


def test_a_forwarded_port() -> None:
    here, guest = number("203.0.113.1"), number("192.0.2.11")
    found = of("203.0.113.1:8080")
    assert found.choices == [
        Choice(4, here, True, 8080, (6,)),
        Choice(4, here, False, 8080, (6,)),
        Choice(4, guest, False, 80, (6,)),
    ]
    assert found.expected.is_rewritten
    assert (found.guest, found.ports) == ("192.0.2.11", ((80, (6,)),))
    assert of("203.0.113.1", port=8080).choices == found.choices
    assert Choice(4, guest, False, 5007, (17,)) in of("203.0.113.1:5007").choices
    assert Choice(6, number("2001:db8:1::11"), False, 8443, (6,)) in of("[2001:db8::1]:443").choices


def test_a_probe_of_a_forwarded_port_goes_to_the_guest() -> None:
    assert Choice(4, number("192.0.2.11"), True, 80, (6,)) in of("203.0.113.1:8080", probes=True).choices


def test_a_whole_address() -> None:
    here, guest = number("203.0.113.5"), number("192.0.2.12")
    found = of("203.0.113.5")
    assert found.choices == [Choice(4, here, True), Choice(4, here, False), Choice(4, guest, False)]
    assert of("203.0.113.5", port=25).choices[0] == Choice(4, here, True, 25)


def test_one_peer() -> None:
    peer = number("198.51.100.7")
    assert [choice.peer for choice in of("203.0.113.1:80", peer="198.51.100.7").choices] == [peer] * 3
    for wrong in ("198.51.100", "2001:db8::1"):
        with pytest.raises(NethookError, match="--peer"):
            of("203.0.113.10", peer=wrong)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("203.0.113.16/29", "write one address of 203.0.113.16/29, such as 203.0.113.17"),
        ("203.0.113.99", "no line of the files names 203.0.113.99, nor a prefix around it"),
        ("203.0.113.1", "only ports of 203.0.113.1 are forwarded: write one that is, such as 203.0.113.1:80"),
        ("203.0.113.1:81", "no line forwards port 81 of 203.0.113.1: write one that is, such as 203.0.113.1:80"),
        ("203.0.113.1:80,443", "203.0.113.1:80,443 has several ports: write one of them, such as 203.0.113.1:80"),
        ("203.0.113.1:22", "203.0.113.1:22 stays with this host"),
        ("2001:db8::1", "write one that is, such as [2001:db8::1]:443"),
        ("public", "write an address, or ADDRESS:PORT"),
        ("web1;reboot", "write an address, or ADDRESS:PORT"),
        ("192.0.2.11", "no line of the files names 192.0.2.11"),
    ],
)
def test_words_that_stand_for_no_packets(word: str, said: str) -> None:
    with pytest.raises(NethookError) as refused:
        of(word)
    assert said in str(refused.value)
