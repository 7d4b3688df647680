"""The connections that end when forwards change: exactly those that would go on to where something led before."""

from __future__ import annotations

import pytest

from nethook.parts.forwards.ended import ended

A, B = "192.168.122.5", "192.168.122.6"
HERE = "203.0.113.1"
OWN = [HERE, "198.51.100.2"]
PORT = (HERE, "tcp", "80")
OF_UDP = (HERE, "udp", "5000-5999")


@pytest.mark.parametrize(
    ("gone", "new", "lines"),
    [
        ({"ports": {(*PORT, A, "8080")}}, {}, {f"to={HERE} protocol=tcp ports=80 at={A}"}),
        (
            {"ports": {(*PORT, A, "8080")}},
            {"ports": {(*PORT, B, "8080")}},
            {f"to={HERE} protocol=tcp ports=80 at={A}"},
        ),
        # another port of the same guest is another place
        ({"ports": {(*PORT, A, "8080")}}, {"ports": {(*PORT, A, "80")}}, {f"to={HERE} protocol=tcp ports=80 at={A}"}),
        ({}, {"ports": {(*PORT, A, "8080")}, "taken": {PORT}}, set()),
        ({}, {"taken": {(HERE, "udp", "53")}}, {f"to={HERE} at={HERE} protocol=udp ports=53"}),
        ({}, {"taken_ranges": {OF_UDP}}, {f"to={HERE} at={HERE} protocol=udp ports=5000-5999"}),
        ({}, {"taken_addresses": {(HERE,)}}, {f"to={HERE} at={HERE} protocol=udp"}),
        (
            {},
            {"taken_any": {("udp", "53"), ("tcp", "53")}},
            {f"to={own} at={own} protocol=udp ports=53" for own in OWN},
        ),
        ({"any_ports": {("tcp", "25565", A, "25565")}}, {}, {f"protocol=tcp ports=25565 at={A}"}),
        ({"addresses": {(HERE, A)}}, {}, {f"to={HERE} at={A}"}),
        ({"outgoing": {("virbr0", A, HERE)}}, {}, {f"source={A} left_as={HERE}"}),
        (
            {"from_ports": {("192.0.2.0/24", *PORT, A, "80")}},
            {},
            {f"to={HERE} source=192.0.2.0/24 protocol=tcp ports=80 at={A}"},
        ),
        # a port of a range that leads to somebody else gets a line of its own
        (
            {},
            {"ports": {(HERE, "udp", "5100", B, "5100"), (*PORT, B, "80")}},
            {f"to={HERE} protocol=udp ports=5100 not_at={B}"},
        ),
        # what was open for all is for some: theirs go on
        (
            {"ports": {(*PORT, A, "80")}},
            {"from_ports": {("192.0.2.0/24", *PORT, A, "80"), ("192.0.2.7", *PORT, A, "80")}},
            {f"to={HERE} protocol=tcp ports=80 at={A} not_source=192.0.2.0/24,192.0.2.7"},
        ),
        # what was for some is open for all: nothing ends
        ({"from_ports": {("192.0.2.0/24", *PORT, A, "80")}}, {"ports": {(*PORT, A, "80")}}, set()),
        # a range that gets smaller, larger, or is cut in two: what still leads there goes on
        (
            {"ranges": {(*OF_UDP, A)}},
            {"ranges": {(HERE, "udp", "5100-5200", A), (HERE, "udp", "5900-6100", A)}},
            {
                f"to={HERE} protocol=udp ports=5000-5099 at={A}",
                f"to={HERE} protocol=udp ports=5201-5899 at={A}",
            },
        ),
        ({"ranges": {(*OF_UDP, A)}}, {"ranges": {(HERE, "udp", "5000-6000", A)}}, set()),
        # a port of the range gets a line of its own, to the same port of the same guest
        (
            {"ranges": {(HERE, "tcp", "80-81", A)}},
            {"ports": {(*PORT, A, "80")}},
            {f"to={HERE} protocol=tcp ports=81 at={A}"},
        ),
    ],
)
def test_what_ends(
    gone: dict[str, set[tuple[str, ...]]], new: dict[str, set[tuple[str, ...]]], lines: set[str]
) -> None:
    assert ended(gone, new, OWN) == lines
