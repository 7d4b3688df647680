"""The note about what is in force: what it has after runs, and which lines are healed by it."""

from __future__ import annotations

import pytest

from nethook.config import Configuration, Settings, assemble
from nethook.config.settings import parse_settings
from nethook.engine.applied import after_event, fingerprint, forget_clear, has_other_settings, note, read
from nethook.engine.run import APPLIED, NOTHING_APPLIED
from nethook.host.fake import FakeHost
from nethook.prefix import parse_prefix
from tests.unit.scenarios import LONELY, NAT, Scenario, world_of
from tests.unit.state import ours

LINES = '203.0.113.10 public\n203.0.113.16/29 other guest=web1 # with a comment\n2001:db8:7::10 "my network"\n'
FORWARDS = """203.0.113.1:80/tcp public to=192.168.50.10
203.0.113.1:81 -
[2001:db8::1]:443 public guest=web1 from=2001:db8:5::/48
"""


def files(lines: str = LINES, forwards: str = FORWARDS, settings: Settings | None = None) -> Configuration:
    """What these files say."""
    sources = [("routed-ips", lines.encode("utf-8", "surrogateescape"))], [("forwarded-ports", forwards.encode())]
    return assemble(settings or Settings(), *sources)


def keys(configuration: Configuration) -> list[str]:
    """The lines, and where they come from."""
    return [f"{line.key} {line.network} {line.options} {line.place}" for line in configuration.lines]


def healed(host: FakeHost, now: Configuration | None = None) -> Configuration:
    """The lines that are healed, while the files are as they are `now`."""
    found = read(host)
    assert found
    return found.configuration(now or files())


@pytest.fixture
def new_host() -> FakeHost:
    """A host with the folder of our notes, and nothing in it."""
    host = FakeHost()
    with host.locked():
        return host


@pytest.fixture
def host(new_host: FakeHost) -> FakeHost:
    """A host where `files()` are applied."""
    assert note(files(), new_host)
    return new_host


def test_the_lines_come_back_as_they_were(host: FakeHost) -> None:
    assert keys(healed(host, files("", ""))) == keys(files())
    assert healed(host).problems == []
    noted = read(host)
    assert noted
    assert noted.fits(fingerprint(files()))
    assert not noted.fits(fingerprint(files(LINES + "203.0.113.40 public")))


def test_a_network_of_an_event_has_its_new_lines(host: FakeHost) -> None:
    """Those of others are as before: also one that goes to another network now."""
    now = files("203.0.113.40 public\n203.0.113.16/29 public\n203.0.113.41 other\n", FORWARDS.replace(":80", ":88"))
    assert note(now, host, ["public"])
    assert {line.split(" {")[0] for line in keys(healed(host))} == {
        *("203.0.113.40 public", "203.0.113.16/29 public", "2001:db8:7::10 my network"),
        *("203.0.113.1:88/tcp public", "203.0.113.1:81/tcp -", "[2001:db8::1]:443/tcp from 2001:db8:5::/48 public"),
    }
    found = read(host)
    assert found
    assert not found.fits(fingerprint(files()))
    assert not found.fits(fingerprint(now))


def test_an_event_without_news_changes_nothing(host: FakeHost) -> None:
    before = host.recorded(APPLIED)
    assert note(files().replaced(settings=Settings(mark_bit=4)), host, ["public"])
    assert host.recorded(APPLIED) == before


def test_an_event_looks_at_the_lines_unless_the_files_are_untouched(host: FakeHost) -> None:
    old, new = ([("/etc/default/routed-ips", 1, 2, 3), ("", 1, 2, time)] for time in (4, 5))
    assert note(assemble(Settings(), [("file", b"203.0.113.10 public\n")], [], stamp=old), host)
    for stamp, key in ((old, "203.0.113.10"), (new, "203.0.113.40")):
        assert note(assemble(Settings(), [("file", b"203.0.113.40 public\n")], [], stamp=stamp), host, ["public"])
        assert [line.key for line in healed(host).lines] == [key]


def test_lines_of_an_older_and_a_newer_state_of_a_file(host: FakeHost) -> None:
    """They may have the same number."""
    now = files(LINES.replace("203.0.113.10 public", "203.0.113.40 other"))
    assert note(now, host, ["other"])
    assert {line.key for line in healed(host).routed_ips} == {
        *("203.0.113.10", "203.0.113.40", "203.0.113.16/29", "2001:db8:7::10")
    }
    assert {line.place.line for line in healed(host).routed_ips} == {1, 2, 3}


@pytest.mark.parametrize("wrong", ["203.0.113.10 public colour=blue", "203.0.113.10", "nonsense", "\udcff"])
def test_a_wrong_line_leaves_the_right_one_of_before(host: FakeHost, wrong: str) -> None:
    now = files(LINES.replace("203.0.113.10 public", wrong))
    for names in ([], ["public"], []):
        assert note(now, host, names)
        assert {line.key for line in healed(host).routed_ips} == {line.key for line in files().routed_ips}
    assert healed(host).in_doubt(parse_prefix("203.0.113.10"))
    assert healed(host).in_doubt(parse_prefix("203.0.113.77")) == (wrong in {"nonsense", "\udcff"})
    assert note(files(LINES.replace("203.0.113.10 public\n", "")), host)
    assert "203.0.113.10" not in {line.key for line in healed(host).routed_ips}
    assert not healed(host).leaves_doubt


@pytest.mark.parametrize("names", [[], ["pubilc"]])
def test_a_line_that_libvirt_does_not_fit_leaves_the_one_of_before(host: FakeHost, names: list[str]) -> None:
    """Until its network comes, and an event tells of it."""
    now = files(LINES.replace("203.0.113.10 public", "203.0.113.10 pubilc") + "203.0.113.40 pubilc\n")
    wrong = [line for line in now.routed_ips if line.network == "pubilc"]
    assert note(now, host, names, mistakes=wrong)
    assert "203.0.113.10 public" in " ".join(keys(healed(host)))
    assert "203.0.113.40 pubilc" in " ".join(keys(healed(host)))
    assert note(now, host, ["pubilc"])
    assert "203.0.113.10 pubilc" in " ".join(keys(healed(host)))


def test_an_event_withdraws_a_line_that_was_wrong_and_is_gone(host: FakeHost) -> None:
    assert note(files(LINES.replace("203.0.113.10 public", "203.0.113.10 public colour=blue")), host)
    in_force, _ = after_event(files(LINES.replace("203.0.113.10 public\n", "")), host, "public")
    assert not in_force.in_doubt(parse_prefix("203.0.113.10"))
    assert "203.0.113.10" not in {line.key for line in in_force.lines}


def test_what_was_there_before_a_note_is_left_alone(new_host: FakeHost) -> None:
    """A wrong line, and one of a file that is not read, leave what is in force, which no line of the note names."""
    now = files("203.0.113.10 public colour=blue\n", "203.0.113.1:70000 public\n")
    hidden = {line.text: line for line in files("203.0.113.50 public\n").routed_ips}
    assert note(now.replaced(hidden=hidden), new_host)
    found = healed(new_host)
    assert [found.in_doubt(parse_prefix(f"203.0.113.{last}")) for last in (10, 50, 51)] == [True, True, False]
    assert found.forwards_in_doubt("203.0.113.1")
    assert not found.forwards_in_doubt("203.0.113.2")


def test_after_clear_there_is_what_events_have_added(host: FakeHost) -> None:
    host.record(APPLIED, NOTHING_APPLIED)
    assert keys(healed(host)) == []
    assert note(files(), host, ["my network"])
    assert [line.key for line in healed(host).lines] == ["2001:db8:7::10"]
    found = read(host)
    assert found
    assert not has_other_settings(found, files())
    forget_clear(host)
    assert read(host) is None


def test_before_everything_was_applied_nothing_is_noted(new_host: FakeHost) -> None:
    """After a boot, the service applies the files, whatever events came before."""
    assert note(files(), new_host, ["public"])
    assert read(new_host) is None


@pytest.mark.parametrize("text", ["", "1234abcd", "cleared", "a\0b\0", NOTHING_APPLIED[:-5], "a\0b\0c\0d\0e\0end\0"])
def test_what_is_no_note_counts_as_none(new_host: FakeHost, text: str) -> None:
    """As that of an older version: healing no lines would withdraw all of them."""
    new_host.record(APPLIED, text)
    assert read(new_host) is None


def test_other_settings(host: FakeHost) -> None:
    """Not those that only say where lines are, or what the service does."""
    found = read(host)
    assert found
    assert has_other_settings(found, files(settings=Settings(mark_bit=4)))
    assert not has_other_settings(found, files(settings=Settings(routed_ips="/etc/elsewhere", auto_apply=True)))


def test_the_fingerprint_is_of_what_the_files_say() -> None:
    first = fingerprint(files())
    assert fingerprint(files("# a comment\n" + "\n".join(reversed(LINES.splitlines())))) == first
    for other in (LINES + "203.0.113.40 public", LINES.replace("web1", "web2"), LINES + "nonsense"):
        assert fingerprint(files(other)) != first
    assert fingerprint(files(settings=Settings(mark_bit=4))) != first


@pytest.mark.parametrize("network", ["other", "pubilc"])
def test_a_line_of_another_network_now_stays_until_that_one_comes(host: FakeHost, network: str) -> None:
    """The hook of the old network leaves it in force; so the service must not withdraw it."""
    now = files(LINES.replace("203.0.113.10 public", f"203.0.113.10 {network}"))
    assert note(now, host, ["public"])
    assert "203.0.113.10 public" in " ".join(keys(healed(host, now)))
    assert note(now, host, [network])
    assert f"203.0.113.10 {network}" in " ".join(keys(healed(host, now)))
    assert note(files(LINES.replace("203.0.113.10 public\n", "")), host, [network])
    assert "203.0.113.10" not in {line.key for line in healed(host).routed_ips}


def test_a_comment_with_a_zero_byte(new_host: FakeHost) -> None:
    """Else there would be no note, and a restart of the service would apply files that wait."""
    now = files("203.0.113.10 public # \0\0\n")
    assert note(now, new_host)
    found = read(new_host)
    assert found
    assert found.fits(fingerprint(now))
    assert [line.key for line in healed(new_host, files("")).routed_ips] == ["203.0.113.10"]


def test_an_event_leaves_what_waits_for_other_networks() -> None:
    """Forwards, their connections, fallback routes and bindings of other networks are as they were applied."""
    world = world_of(Scenario((), networks=(NAT, LONELY)))
    forwards = ["198.51.100.2:80 public to=192.0.2.10", "198.51.100.2:22 -"]
    world.configure("203.0.113.10 public", "203.0.113.50 lonely", forwards=forwards)
    for network in (NAT, LONELY):
        assert world.event(network, "start") == []
        world.bring_up(network)
        assert world.event(network, "started") == []
    assert world.apply() == []
    with world.host.locked():
        assert note(world.configuration, world.host)
    before = ours(world.host)
    world.configure("203.0.113.50 lonely", "203.0.113.11 public", forwards=["198.51.100.2:81 public to=192.0.2.10"])
    for operation in ("updated", "updated"):
        assert world.event(LONELY, operation) == []
        assert ours(world.host) == before
    assert world.event(NAT, "updated") == []
    after = str(ours(world.host))
    assert ("203.0.113.11" in after, "203.0.113.10" in after) == (True, False)


def no_space(_: FakeHost, path: str, text: str) -> None:
    raise OSError(28, f"No space for {len(text)} bytes", path)


def test_without_space_an_event_still_leaves_other_networks(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeHost, "record", no_space)
    in_force, is_noted = after_event(files("203.0.113.40 public\n"), host, "public")
    lines = {line.split(" {")[0] for line in keys(in_force)}
    assert not is_noted
    assert {"203.0.113.40 public", "203.0.113.16/29 other"} <= lines
    assert "203.0.113.10 public" not in lines


def test_without_space_a_run_about_everything_leaves_no_note(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the service would withdraw what was applied."""
    monkeypatch.setattr(FakeHost, "record", no_space)
    assert not note(files(""), host)
    assert read(host) is None


def test_when_nothing_waits_any_more_the_files_are_applied(host: FakeHost) -> None:
    """Status and the service say no longer that they differ; also if only comments have moved the lines."""
    now = files("# a comment\n" + LINES.replace("203.0.113.10 public", "203.0.113.40 public") + "203.0.113.41 other\n")
    for network, is_all in (("public", False), ("other", True)):
        assert note(now, host, [network])
        found = read(host)
        assert found
        assert found.fits(fingerprint(now)) == is_all
    assert keys(healed(host, files("", ""))) == keys(now)


def test_where_a_setting_is_does_not_matter() -> None:
    texts = (b"mark-bit = 0x20000000\n", b"# a comment\n\nmark-bit = 0x20000000\n")
    prints = {fingerprint(Configuration(parse_settings("nethook.conf", text), [], [])) for text in texts}
    assert len(prints) == 1
