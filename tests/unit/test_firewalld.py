"""What firewalld answers → the calls that give it the entries it should have."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from nethook.errors import ReadError
from nethook.gates.firewalld.files import contents
from nethook.gates.firewalld.gate import Firewalld, entries, names_policy, understand
from nethook.host.process import Call, Result
from tests.unit.cases import case

ANSWER = Call(("busctl",))
NOTHING = case("", [])
WANTED = {4: ["203.0.113.10", "203.0.113.16/29"], 6: ["2001:db8:7::/64"]}
NONE: dict[int, list[str]] = {4: [], 6: []}
NOT_RUNNING = 'Call failed: Name "org.fedoraproject.FirewallD1" does not exist'


def answer(out: str) -> Result:
    return Result(ANSWER, 0, f"{out}\n", "")


def failure(err: str) -> Result:
    return Result(ANSWER, 1, "", f"{err}\n")


def strings(*words: str) -> Result:
    return answer(" ".join(["as", str(len(words)), *(f'"{word}"' for word in words)]))


def firewalld(
    wanted: dict[int, list[str]], runtime: dict[int, list[str]], permanent: dict[int, list[str]] | None = None
) -> Firewalld:
    paths = [answer(f'o "/config/ipset/{family}"') for family in (4, 6)]
    results = [*(strings(*runtime[family]) for family in (4, 6)), *paths]
    return understand(wanted, results, {family: set(found) for family, found in (permanent or runtime).items()})


def changes(
    wanted: dict[int, list[str]], runtime: dict[int, list[str]], permanent: dict[int, list[str]] | None = None
) -> list[tuple[list[str], str]]:
    """Effects and the call of each change."""
    found = firewalld(wanted, runtime, permanent)
    return [([str(effect) for effect in change.effects], str(change.call)) for change in found.changes(NOTHING)]


def test_nothing_is_called_where_nothing_differs() -> None:
    assert changes(WANTED, WANTED) == []
    assert changes(NONE, NONE) == []


def test_all_entries_of_an_ipset_are_set_at_once() -> None:
    runtime = {4: ["203.0.113.9", "203.0.113.16/29"], 6: WANTED[6]}
    ((effects, command),) = changes(WANTED, runtime, WANTED)
    assert effects == ["- gate in firewalld for 203.0.113.9", "+ gate in firewalld for 203.0.113.10"]
    assert command.endswith("FirewallD1.ipset setEntries sas nethook4 2 203.0.113.10 203.0.113.16/29")


def test_what_is_permanent_is_kept_by_itself() -> None:
    ((effects, command),) = changes(WANTED, WANTED, {4: WANTED[4], 6: []})
    assert effects == ["+ gate in firewalld's files for 2001:db8:7::/64"]
    assert command.endswith("/config/ipset/6 org.fedoraproject.FirewallD1.config.ipset setEntries as 1 2001:db8:7::/64")


def test_many_entries_are_summed_up() -> None:
    many = {4: [f"203.0.113.{number}" for number in range(10, 20)], 6: []}
    ((effects, _), _) = changes(many, NONE)
    assert effects == ["+ gate in firewalld for 203.0.113.10, 203.0.113.11 and 8 more"]


@pytest.mark.parametrize("said", [NOT_RUNNING, "Failed to connect to bus: No such file or directory"])
def test_there_is_no_gate_where_firewalld_does_not_run(said: str) -> None:
    assert names_policy(failure(said)) is None


def test_our_policy_is_one_of_several() -> None:
    assert names_policy(strings("00-nethook", "libvirt-routed-in"))
    assert names_policy(strings("libvirt-routed-in")) is False


def test_without_our_ipsets_nothing_is_called_and_it_is_said() -> None:
    absent = failure("Call failed: INVALID_IPSET: nethook4")
    for wanted, state in ((WANTED, "missing, run nethook install"), (NONE, "not needed")):
        found = understand(wanted, [absent] * 4, {4: None, 6: None})
        assert (found.changes(NOTHING), found.state(NOTHING)) == ([], state)


@pytest.mark.parametrize("said", [failure("Call failed: Connection timed out"), answer('s "unheard of"')])
def test_what_is_not_understood_is_not_taken_for_empty(said: Result) -> None:
    with pytest.raises(ReadError):
        names_policy(said)
    with pytest.raises(ReadError):
        understand(WANTED, [said, *[strings()] * 3], {4: set(), 6: set()})


def test_entries_do_not_overlap_and_are_there_for_networks_that_are_down() -> None:
    lines = "203.0.113.17 a\n203.0.113.16/29 b\n203.0.113.24 a\n2001:db8::/48 a\n2001:db8:0:1::/64 b\n2001:db8::1 a"
    assert entries(case(lines, []).guarded) == {4: ["203.0.113.16/29", "203.0.113.24"], 6: ["2001:db8::/48"]}


def test_the_policy_names_no_zone_and_only_our_ipsets() -> None:
    files = contents(WANTED)
    assert list(files)[-1] == "policies/00-nethook.xml"
    policy = ElementTree.fromstring(files["policies/00-nethook.xml"])  # noqa: S314 - our own
    assert {zone.get("name") for tag in ("ingress-zone", "egress-zone") for zone in policy.iter(tag)} == {"ANY"}
    named = {match.get("ipset") for tag in ("source", "destination") for match in policy.iter(tag)}
    assert {f"ipsets/{name}.xml" for name in named} == set(files) - {"policies/00-nethook.xml"}
    ipset = ElementTree.fromstring(files["ipsets/nethook4.xml"])  # noqa: S314 - our own
    assert [entry.text for entry in ipset.iter("entry")] == WANTED[4]
