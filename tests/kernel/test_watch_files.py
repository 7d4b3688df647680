"""When the service applies changed files, when it only says so, and what it heals meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.world.damages import LINES, TABLE
from lab.world.world import CONFIGURATION
from tests.kernel.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

DIFFER = "the files have changed since they were applied; `nethook plan` shows what `nethook apply` would change"
SAID = f"The{DIFFER[3:]}."
IDLE = f"{DIFFER}; settings have changed, and until then nothing is healed"
NEW, GONE = "203.0.113.40", "203.0.113.10"
DELETED = f"nft delete table {TABLE}"
ROUTES = "ip route show proto 218"


@pytest.fixture
def watched(service_host: Watched) -> Iterator[Watched]:
    """A service that has applied LINES."""
    service_host.settings("")
    service_host.world.configure(*LINES)
    service_host.nethook("apply")
    service_host.start()
    yield service_host
    assert service_host.watching.stop() == 0
    service_host.sh(f"rm -rf {CONFIGURATION}.d /etc/sysconfig/routed-ips.d /etc/elsewhere")


def test_new_lines_wait_for_apply(watched: Watched) -> None:
    watching = watched.watching
    watched.world.configure(*LINES, f"{NEW} public")
    watching.wait(lambda: DIFFER in watching.said, "it says that the files differ")
    assert watched.heals(DELETED), "what was applied is healed"
    watching.settle()
    assert NEW not in watched.sh(ROUTES)
    assert watching.said.count(DIFFER) == 1
    assert DIFFER in watching.states[-1]
    watched.nethook("apply")
    applied = watched.ours()
    watching.settle()
    assert watched.ours() == applied
    assert NEW in watched.sh(ROUTES)
    said = len(watching.said)
    watched.sh(f"ip route delete {NEW}")
    watching.wait(lambda: watched.ours() == applied, "what was applied is healed")
    assert NEW in watching.said[said]


@pytest.mark.parametrize("changed", [[], [f"{GONE} public guest=web2"], [f"{GONE} public colour=blue"], ["nonsense"]])
def test_what_was_applied_is_healed_while_a_changed_line_waits(watched: Watched, changed: list[str]) -> None:
    """Also after a restart of the service, as after a crash or an upgrade."""
    watching = watched.watching
    assert LINES[0].startswith(GONE)
    watched.world.configure(*LINES[1:], *changed)
    watching.wait(lambda: DIFFER in watching.said, "it says that the files differ")
    assert watched.is_whole()
    assert watched.heals(DELETED)
    assert watching.stop() == 0
    watching = watched.start()
    watching.wait(lambda: DIFFER in watching.said, "it says so again")
    assert watched.is_whole()
    assert watched.heals(f"ip route delete {GONE}")
    assert watching.said.count(DIFFER) == 1
    watched.nethook("apply", "--keep-going", check=False)
    watched.whole = watched.ours()
    assert watched.heals(DELETED)


@pytest.mark.parametrize("wrong", ["colour=blue", "guest=wbe1"])
def test_a_wrong_line_leaves_what_is_healed(watched: Watched, wrong: str) -> None:
    """As it leaves what is in force; status does not tell of changed files once the others are applied."""
    watched.world.configure(*LINES[1:], f"{GONE} public {wrong}", f"{NEW} public")
    watched.nethook("apply", "--keep-going", check=False)
    watched.whole = watched.ours()
    assert {GONE, NEW} <= {line.split()[0] for line in watched.sh(ROUTES).splitlines()}
    watched.watching.settle()
    assert watched.heals(DELETED)
    assert watched.heals(f"ip route delete {GONE}")
    assert '"files_differ": false' in watched.nethook("status", "--json", check=False)


def test_status_tells_of_changed_files(watched: Watched) -> None:
    watched.world.configure(*LINES, f"{NEW} public")
    assert SAID in watched.nethook("status", check=False)
    assert '"files_differ": true' in watched.nethook("status", "--json", check=False)
    watched.nethook("apply")
    assert SAID not in watched.nethook("status", check=False)
    assert '"files_differ": false' in watched.nethook("status", "--json", check=False)


def test_what_a_hook_has_applied_is_healed(watched: Watched) -> None:
    """It applies lines of its own network. Those of others still wait. After a restart of the service, too."""
    other = "203.0.113.41"
    watched.world.configure(*LINES[1:], f"{NEW} public", f"{other} plain")
    watched.watching.wait(lambda: DIFFER in watched.watching.said, "it says that the files differ")
    watched.world.event(watched.network, "port-created", port=watched.port)
    watched.watching.settle()
    routes = watched.sh(ROUTES)
    assert (NEW in routes, GONE in routes, other in routes) == (True, False, False)
    watched.whole = watched.ours()
    assert watched.heals(DELETED)
    assert watched.watching.stop() == 0
    watched.start()
    assert watched.heals(f"ip route delete {NEW}")


def test_apply_of_one_network_leaves_others_as_they_were_applied(watched: Watched) -> None:
    """Else the service would bring back what this withdraws, and connections would be lost."""
    forwards = CONFIGURATION.replace("routed-ips", "forwarded-ports")
    watched.machine.write(forwards, f"198.51.100.2:8080 public to={watched.guest.private(4).address}\n")
    watched.nethook("apply")
    watched.watching.settle()
    watched.whole = watched.ours()
    watched.machine.write(forwards, "")
    assert watched.nethook("plan", "plain") == ""
    watched.nethook("apply", "plain")
    assert watched.is_whole()
    watched.nethook("apply", "public")
    assert "8080" not in "".join(watched.ours())


def test_what_was_applied_stays_if_it_cannot_be_noted(watched: Watched) -> None:
    """As on a full /run."""
    watched.sh("mkdir /run/nethook/applied.new")
    watched.world.configure(*LINES, f"{NEW} public")
    watched.nethook("apply", check=False)
    watched.watching.settle()
    assert NEW in watched.sh(ROUTES)
    watched.sh("rmdir /run/nethook/applied.new")
    watched.whole = watched.ours()
    assert watched.heals(DELETED)


def test_a_note_that_cannot_be_read_does_not_count_as_none(watched: Watched) -> None:
    """Else a restart of the service would apply files that wait."""
    watched.world.configure(*LINES[1:])
    watched.watching.wait(lambda: DIFFER in watched.watching.said, "it says that the files differ")
    watched.sh("mv /run/nethook/applied /run/kept; mkdir /run/nethook/applied")
    assert watched.watching.stop() == 0
    watching = watched.start()
    watching.wait(lambda: any("cannot be read" in line for line in watching.said), "it says so")
    watching.settle()
    assert GONE in watched.sh(ROUTES)
    watched.sh("rmdir /run/nethook/applied; mv /run/kept /run/nethook/applied")
    assert watched.heals(DELETED)


def test_comments_are_no_change(watched: Watched) -> None:
    before = watched.watching.looks
    watched.world.configure("# nothing new", *reversed(LINES))
    watched.watching.wait(lambda: watched.watching.looks > before, "it looks")
    assert DIFFER not in watched.watching.said


def test_sighup_applies_them(watched: Watched) -> None:
    watched.world.configure(*LINES, f"{NEW} public")
    watched.watching.wait(lambda: DIFFER in watched.watching.said, "it says that the files differ")
    watched.watching.hang_up()
    watched.watching.wait(lambda: NEW in watched.sh(ROUTES), "the new line is applied")


def test_files_that_cannot_be_read(watched: Watched) -> None:
    """What was applied last is healed."""
    watching = watched.watching
    watched.settings("mark-bit = 3\n")
    watching.wait(lambda: any("what was applied last is healed" in line for line in watching.said), "it says so")
    assert watched.heals(DELETED)
    watched.settings("")


def test_changed_settings_wait_for_apply(watched: Watched) -> None:
    watched.settings("mark-bit = 0x20000000\n")
    watched.watching.wait(lambda: IDLE in watched.watching.said, "it says that it waits")
    watched.sh(DELETED)
    watched.watching.settle()
    assert TABLE not in watched.sh("nft list tables")
    watched.nethook("apply")
    applied = watched.ours()
    watched.watching.settle()
    assert watched.ours() == applied != watched.whole
    watched.settings("")
    watched.nethook("apply")


def automatically(watched: Watched) -> None:
    """Have changed files applied."""
    watched.settings("auto-apply = yes\n")


def test_auto_apply(watched: Watched) -> None:
    """A file that is written anew, one that is renamed over another, a link, and folders that come later."""
    watching = watched.watching
    automatically(watched)

    def comes(address: str) -> None:
        watching.wait(lambda: address in watched.sh(ROUTES), f"{address} is routed")

    watched.world.configure(*LINES, f"{NEW} public")
    comes(NEW)
    watched.sh(f"cp {CONFIGURATION} {CONFIGURATION}.new; sed -i s/{NEW}/203.0.113.41/ {CONFIGURATION}.new")
    watched.sh(f"mv {CONFIGURATION}.new {CONFIGURATION}")
    comes("203.0.113.41")
    watched.machine.write(f"{CONFIGURATION}.d/10-more.conf", "203.0.113.42 public\n")
    comes("203.0.113.42")
    watched.machine.write(f"{CONFIGURATION}.d/20-more.conf", "203.0.113.43 public\n")
    comes("203.0.113.43")
    watched.sh("mkdir -p /etc/elsewhere; echo 203.0.113.44 public > /etc/elsewhere/ips")
    watched.sh(f"ln -sf /etc/elsewhere/ips {CONFIGURATION}")
    comes("203.0.113.44")
    watched.sh("echo 203.0.113.45 public >> /etc/elsewhere/ips")
    comes("203.0.113.45")
    watched.sh(f"rm {CONFIGURATION}")


def test_auto_apply_waits_for_who_writes(watched: Watched) -> None:
    """A program that writes slowly has emptied the file first."""
    automatically(watched)
    watched.watching.settle()
    with (watched.machine.root / CONFIGURATION.lstrip("/")).open("w") as file:
        watched.sh(f"sleep 1.5; {DELETED}")
        watched.watching.settle()
        assert GONE in watched.sh(ROUTES)
        file.write("".join(f"{line}\n" for line in (*LINES, f"{NEW} public")))
    watched.watching.wait(lambda: NEW in watched.sh(ROUTES), "the new line is applied")


def test_auto_apply_of_a_file_that_a_setting_names(watched: Watched) -> None:
    watched.machine.write("/etc/elsewhere/ips/here", "203.0.113.10 public\n")
    watched.settings("auto-apply = yes\nrouted-ips = /etc/elsewhere/ips/here\n")
    watched.watching.wait(lambda: "203.0.113.30" not in watched.sh(ROUTES), "the other file is applied")
    watched.sh("rm -r /etc/elsewhere/ips")
    watched.watching.wait(lambda: any("does not exist" in line for line in watched.watching.said), "the file is missed")
    watched.machine.write("/etc/elsewhere/ips/here", "203.0.113.47 public\n")
    watched.watching.wait(lambda: "203.0.113.47" in watched.sh(ROUTES), "it is there again")


def test_auto_apply_goes_on_despite_a_wrong_line(watched: Watched) -> None:
    automatically(watched)
    watched.world.configure(*LINES[1:], "203.0.113.10 public colour=blue", f"{NEW} public")
    watched.watching.wait(lambda: NEW in watched.sh(ROUTES), "the new line is applied")
    assert GONE in watched.sh(ROUTES), "the address of the wrong line stays"
    assert any(f"{CONFIGURATION}:6:" in line for line in watched.watching.said)


def test_clear_is_not_undone(watched: Watched) -> None:
    watched.nethook("clear", "--yes")
    assert watched.ours() != watched.whole
    watched.watching.wait(lambda: any("nethook clear" in line for line in watched.watching.said), "it says so")
    watched.watching.settle()
    assert watched.sh(ROUTES) == ""
    watched.nethook("apply")
    assert watched.heals("ip route delete 203.0.113.10")
