"""What verbs tell programs: JSON that says what was changed, exit statuses, and waiting for an address."""

from __future__ import annotations

import json
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from lab.firewalls import FIREWALLS
from lab.world.network import WorldPort
from lab.world.verbs import tell_libvirt, verb
from lab.world.world import CONFIGURATION, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.network import WorldNetwork

ADDRESS, BOUND = "203.0.113.10", "203.0.113.30"
LINES = (f"{ADDRESS} public",)
ELSEWHERE = "/etc/elsewhere"
WRONG = "203.0.113.300 public"


class Place:
    """A world with a network, and one guest that is plugged in when a test wants it."""

    def __init__(self) -> None:
        self.world = World(FIREWALLS["libvirt-nftables"])
        self.network: WorldNetwork = self.world.network("public", 1)
        self.guest = self.world.guest(self.network, ADDRESS, BOUND)
        self.port = WorldPort("web1", self.guest.mac)
        tell_libvirt(self.world, self.network)
        self.world.configure(*LINES)

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a verb; return its exit status, and what it prints."""
        ended = verb(self.world, *arguments, "--json")
        return ended.returncode, json.loads(ended.stdout)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.world.close()


def test_apply_says_what_it_has_changed(place: Place) -> None:
    status, told = place.json("apply")
    assert (status, told["changed"], told["failures"], told["problems"]) == (0, True, [], [])
    assert ("add", "route", ADDRESS) in {(each["action"], each["kind"], each.get("prefix")) for each in told["changes"]}
    status, told = place.json("apply")
    assert (status, told["changed"], told["changes"]) == (0, False, [])
    assert told["summary"]["lines"] == {"routed": len(LINES)}


def test_apply_and_check_tell_mistakes_alike(place: Place) -> None:
    place.world.configure(*LINES, WRONG)
    try:
        status, told = place.json("apply")
        assert (status, told["changed"]) == (1, False)
        assert [(each["file"], each["line"], each["column"]) for each in told["problems"]] == [(CONFIGURATION, 2, 1)]
        checked, found = place.json("check")
        assert (checked, found["problems"]) == (1, told["problems"])
    finally:
        place.world.configure(*LINES)
    checked, found = place.json("check")
    assert (checked, found["problems"], found["warnings"], found["mark_used_by"]) == (0, [], [], None)


def test_what_clear_would_remove(place: Place) -> None:
    place.json("apply")
    before = place.world.machine.run("ip", "route", "show", "proto", "218")
    assert ADDRESS in before
    shown = verb(place.world, "clear", "--dry-run")
    assert shown.returncode == 1
    assert f"- route {ADDRESS} → virbr1\n" in shown.stdout
    assert place.world.machine.run("ip", "route", "show", "proto", "218") == before
    assert verb(place.world, "clear", "--yes").returncode == 0
    shown = verb(place.world, "clear", "--dry-run")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "nethook: nothing of ours is in the kernel\n")


def test_a_dry_run_of_add_and_remove(place: Place) -> None:
    """0: nothing would change, 1: something would, 2: it would be refused."""
    place.world.configure(*LINES)
    place.json("apply")
    for words, status, said in (
        (("add", BOUND, "public"), 1, f"+ line {BOUND}  public, {CONFIGURATION}:2\n"),
        (("add", *LINES[0].split()), 0, "already there: "),
        (("add", BOUND, "publik"), 2, "nethook: nothing was written\n"),
        (("remove", ADDRESS), 1, f"- route {ADDRESS} → virbr1\n"),
        (("remove", BOUND), 0, "nothing to remove"),
        (("remove", "203.0.113.0/24"), 2, "nothing was written"),
    ):
        ended = verb(place.world, *words, "--dry-run")
        assert (words, ended.returncode) == (words, status)
        assert said in ended.stdout + ended.stderr
    assert place.json("plan") == (0, {"version": 1, "changes": [], "failures": []})


def test_a_file_that_is_checked_stands_in_for_the_one_in_use(place: Place) -> None:
    """It is compared with all others, which are not blamed for what is wrong with them alone."""
    place.world.configure(*LINES)
    place.world.machine.run("mkdir", "-p", f"{CONFIGURATION}.d", ELSEWHERE)
    place.world.machine.write(f"{CONFIGURATION}.d/web.conf", f"{BOUND} public\n{WRONG}\n")
    ports = "/etc/nethook/forwarded-ports"
    place.world.machine.write(ports, "198.51.100.2:80 public to=192.0.2.10\n")
    for name, lines, place_of_it, status, said in (
        ("routed-ips.new", f"{ADDRESS} public  # new\n", "", 0, "nothing is wrong with 1 line"),
        ("routed-ips.new", f"{ADDRESS} public\n{BOUND} public\n", "", 1, f"already at {ELSEWHERE}/routed-ips.new:2:1"),
        (
            "db.conf",
            f"{ADDRESS} public\n",
            "",
            1,
            f"/db.conf:1:1: {ADDRESS} is already at {CONFIGURATION}:1:1",
        ),
        ("web.conf", f"{BOUND} public\n", "", 0, "nothing is wrong with 1 line"),
        ("source", f"{ADDRESS} public\n", f"{CONFIGURATION}.d/db.conf", 1, f"{ELSEWHERE}/source:1:1: "),
        ("source", "198.51.100.2:443 public to=192.0.2.10\n", ports, 0, "nothing is wrong with 1 line"),
        ("source", "198.51.100.2:80 public to=192.0.2.9\n", f"{ports}.d/b.conf", 1, f"{ELSEWHERE}/source:1:1: "),
    ):
        place.world.machine.write(f"{ELSEWHERE}/{name}", lines)
        words = ["--as", place_of_it] if place_of_it else []
        ended = verb(place.world, "check", *words, f"{ELSEWHERE}/{name}")
        assert (name, lines, ended.returncode) == (name, lines, status), ended
        assert said in ended.stdout + ended.stderr
    place.world.machine.run("rm", "-r", f"{CONFIGURATION}.d", ports)


def test_waiting_until_an_address_is_routed(place: Place) -> None:
    place.world.configure(*LINES, f"{BOUND} public guest=web1")
    place.json("apply")
    ended = verb(place.world, "wait", "--seconds", "0", ADDRESS, BOUND)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"nethook: {BOUND} is waiting: ")
    found: list[int] = []
    waiting = Thread(target=lambda: found.append(verb(place.world, "wait", BOUND).returncode))
    waiting.start()
    tell_libvirt(place.world, place.network, place.port)
    place.world.event(place.network, "port-created", port=place.port)
    waiting.join()
    assert found == [0]
    ended = verb(place.world, "wait", "203.0.113.99")
    assert ended.returncode == 2
    assert "no line of the files names 203.0.113.99" in ended.stderr
