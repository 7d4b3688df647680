"""Which line an address names, and what to write where it is only a part of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.config.listening import parse_listening
from nethook.config.writing import appended, line_of, typed_word, without_line
from nethook.editing.draft import FORWARDED_PORTS, ROUTED_IPS
from nethook.editing.finding import Named, listening_text, named_lines, naming, near, without_ports

ROUTED = b"""# addresses
203.0.113.10  public   guest="web 1"
203.0.113.16/29 public
2001:DB8:7::/64 public via=fe80::1
203.0.113.1O public
"unclosed public
  203.0.113.11 public # kept
203.0.113.11 other
"""
FORWARDED = b"""203.0.113.1:80,443 default guest=web1
203.0.113.1:22 default guest=a from=198.51.100.0/24
203.0.113.1:22 default guest=b
203.0.113.2:8000-8010/tcp,udp default guest=c to=9000-9010
203.0.113.5 default guest=mail
[2001:db8::5]:443 default guest=d
203.0.113.10 default guest=e
"""


def lines() -> list[Named]:
    return named_lines([(ROUTED_IPS, ("r", ROUTED)), (FORWARDED_PORTS, ("f", FORWARDED))])


@pytest.mark.parametrize(
    ("asked", "others", "places"),
    [
        ("203.0.113.16/29", [], ["r:3"]),
        ("2001:db8:7:0::/64", [], ["r:4"]),
        ("203.0.113.1O", [], ["r:5"]),
        ("203.0.113.11", [], ["r:7", "r:8"]),
        ("203.0.113.11", ["other"], ["r:8"]),
        ("203.0.113.10", [], ["r:2", "f:7"]),
        ("203.0.113.10", ["guest=web 1"], ["r:2"]),
        ("203.0.113.10", ['guest="web 1"'], ["r:2"]),
        ("203.0.113.10", ["default"], ["f:7"]),
        ("203.0.113.1:80,443", [], ["f:1"]),
        ("203.0.113.1:443,80/TCP", [], ["f:1"]),
        ("203.0.113.1:80", [], []),
        ("203.0.113.1:22", [], ["f:2", "f:3"]),
        ("203.0.113.1:22", ["guest=b"], ["f:3"]),
        ("203.0.113.2:8000-8010/udp,tcp", [], ["f:4"]),
        ("203.0.113.2:8000-8010", [], []),
        ("[2001:DB8::5]:443", [], ["f:6"]),
        ("203.0.113.5", [], ["f:5"]),
        ("203.0.113.9", [], []),
        ("", [], []),
    ],
)
def test_the_lines_that_name_it(asked: str, others: list[str], places: list[str]) -> None:
    assert [each.place for each in naming(lines(), asked, others)] == places


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "203.0.113.17",
            "r:3:1: 203.0.113.17 is in 203.0.113.16/29; run `nethook edit`, and write instead lines for "
            "203.0.113.16, 203.0.113.18/31, 203.0.113.20/30",
        ),
        (
            "2001:db8:7::9",
            "r:4:1: 2001:db8:7::9 is in 2001:db8:7::/64; run `nethook edit`, and write instead lines for "
            "what stays of 2001:db8:7::/64",
        ),
        (
            "203.0.113.12/30",
            "",
        ),
        (
            "203.0.113.16/28",
            "r:3:1: 203.0.113.16/29 is a part of 203.0.113.16/28; to remove it, run `nethook remove 203.0.113.16/29`",
        ),
        (
            "203.0.113.1:443",
            "f:1:1: 203.0.113.1:443 has ports of 203.0.113.1:80,443; run `nethook edit forwarded-ports`, and write "
            "203.0.113.1:80 instead",
        ),
        (
            "203.0.113.2:8005",
            "f:4:1: 203.0.113.2:8005 has ports of 203.0.113.2:8000-8010/tcp,udp; run `nethook edit forwarded-ports`, "
            "and write 203.0.113.2:8000-8004,8006-8010 and 203.0.113.2:8000-8010/udp instead; "
            "see to it that to=9000-9010 fits",
        ),
        (
            "203.0.113.2:7000-9000/tcp,udp",
            "f:4:1: 203.0.113.2:7000-9000/tcp,udp has ports of 203.0.113.2:8000-8010/tcp,udp; name all of it",
        ),
        (
            "203.0.113.5:22",
            "f:5:1: 203.0.113.5:22 is in 203.0.113.5, of which all is forwarded; to leave the port with the host, "
            "run `nethook add 203.0.113.5:22 -`",
        ),
        (
            "203.0.113.2",
            "f:4:1: 203.0.113.2:8000-8010/tcp,udp is a part of 203.0.113.2; to remove it, run "
            "`nethook remove 203.0.113.2:8000-8010/tcp,udp`",
        ),
        ("203.0.113.2:80", ""),
        ("somewhere", ""),
    ],
)
def test_what_to_write_where_it_is_a_part(asked: str, said: str) -> None:
    assert "\n".join(str(problem) for problem in near(lines(), asked)) == said


contents = st.lists(
    st.one_of(
        st.binary(max_size=12), st.sampled_from([b"\n", b"\r\n", b'"', b"#", ROUTED, ROUTED.replace(b"\n", b"\r\n")])
    ),
    max_size=8,
).map(b"".join)


@given(contents, st.lists(st.text(st.characters(exclude_characters="\n"), max_size=8), min_size=1, max_size=3))
def test_a_line_that_was_added_is_found_and_removed(content: bytes, words: list[str]) -> None:
    line = line_of([typed_word(word) for word in ("198.51.100.77", *words)])
    added = appended(content, [line])
    (found,) = naming(named_lines([(ROUTED_IPS, ("r", added))]), "198.51.100.77", words)
    after = without_line(added, found.line.number)
    assert after == content or (after in {content + b"\n", content + b"\r\n"} and not content.endswith(b"\n"))


spans = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 6)), min_size=1, max_size=5)
protocols = st.sampled_from(["tcp", "udp", "tcp,udp"])


def listed(pairs: list[tuple[int, int]], protocol: str) -> str | None:
    text = ",".join(f"{first}-{first + more}" for first, more in pairs)
    try:
        parse_listening(f"203.0.113.1:{text}/{protocol}", {})
    except ValueError:
        return None
    return f"203.0.113.1:{text}/{protocol}"


def members(text: str) -> set[tuple[str, int]]:
    _, ports, names = parse_listening(text, {})
    return {(name, port) for name in names for first, last in ports for port in range(first, last + 1)}


@given(spans, protocols, spans, protocols)
def test_what_stays_are_exactly_the_other_ports(
    here: list[tuple[int, int]], of_here: str, gone: list[tuple[int, int]], of_gone: str
) -> None:
    first, second = listed(here, of_here), listed(gone, of_gone)
    if first is None or second is None:
        return
    rest = [listening_text(*some) for some in without_ports(parse_listening(first, {}), parse_listening(second, {}))]
    stay = [member for text in rest for member in members(text)]
    assert len(stay) == len(set(stay))
    assert set(stay) == members(first) - members(second)
