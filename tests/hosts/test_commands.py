"""The commands of people who administer a host, on booted hosts with guests: what they print is what happens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.hosts import program
from lab.hosts.flow import flow
from lab.hosts.lab import Lab
from lab.waiting import wait_for
from tests.hosts.terminal import Terminal

if TYPE_CHECKING:
    from lab.hosts.guest import Guest
    from lab.hosts.network import HostNetwork
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

FILE = "/etc/sysconfig/routed-ips"
STEADY, MOVING, SIX = "203.0.113.10", "203.0.113.11", "2001:db8:7::10"
HOSTS = {"libvirt 9.0 iptables": ("bookworm", None), "libvirt 11.3 nftables": ("trixie", "nftables")}
LISTINGS = (
    "nft -s list ruleset",
    "iptables-save",
    "ip6tables-save",
    "ip -4 route show table all",
    "ip -6 route show table all",
    "ip rule",
    "ls --ignore=runs --ignore=applied /run/nethook",  # which say what was done, also by clear
    "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/*/disable_ipv6",
)


class Site(NamedTuple):
    """A host with two networks, a guest on each, and the program; without its hook: nothing happens by itself."""

    lab: Lab
    host: SystemdHost
    first: HostNetwork
    second: HostNetwork
    guest: Guest
    other_guest: Guest

    def configure(self, *lines: str) -> None:
        self.host.write(FILE, "".join(f"{line}\n" for line in lines))

    def plan(self, *arguments: str) -> list[str]:
        """What is planned; the exit status has to say whether it is anything."""
        planned = self.host.nethook("plan", *arguments)
        assert planned.returncode == bool(planned.stdout), planned.stderr
        return planned.stdout.splitlines()

    def apply(self, *arguments: str) -> list[str]:
        """What is done; nothing may be left to do."""
        applied = self.host.nethook("apply", "--verbose", *arguments)
        assert applied.returncode == 0, applied.stderr
        assert self.plan(*arguments) == []
        *done, result = applied.stdout.splitlines()
        assert re.match(r"\d+ lines?: |no lines$", result)
        return done

    def put_in_force(self, *expected: str) -> None:
        """Plan and apply have to say the same; ``expected`` are lines of it."""
        planned = self.plan()
        assert set(expected) <= set(planned)
        assert self.apply() == planned

    def answers(self, address: str) -> str | None:
        """The name of the guest that answers from outside."""
        answer = self.lab.wan.fetch(address, timeout=2)
        return answer.split()[0] if answer else None

    def states(self) -> dict[str, str]:
        """State by prefix, as status tells it."""
        status = json.loads(self.host.nethook("status", "--json").stdout)
        assert status["version"] == 1
        return {line["prefix"]: line["state"] for line in status["lines"]}


@pytest.fixture(scope="module", params=HOSTS)
def booted(request: pytest.FixtureRequest) -> Iterator[Site]:
    suite, backend = HOSTS[request.param]
    with Lab() as lab:
        host = lab.host(suite, firewall_backend=backend)
        lab.wan.deliver("203.0.113.0/24", host)
        lab.wan.deliver("2001:db8:7::/48", host)
        program.put(host)
        first = host.network("first", mode="nat", addresses=["192.168.50.1/24", "fd00:50::1/64"])
        second = host.network("second", mode="route", addresses=["192.168.60.1/24", "fd00:60::1/64"])
        guests = [
            host.guest(
                name,
                network=network.name,
                addresses=[f"{address}/{128 if ':' in address else 32}" for address in addresses],
                gateways=gateways,
            )
            for name, network, addresses, gateways in (
                ("web1", first, (STEADY, MOVING, SIX), ("192.168.50.1", "fd00:50::1")),
                ("web2", second, (MOVING,), ("192.168.60.1", "fd00:60::1")),
            )
        ]
        for guest in guests:
            guest.start()
        yield Site(lab, host, first, second, *guests)


@pytest.fixture
def site(booted: Site) -> Iterator[Site]:
    """With one line in force."""
    booted.configure(f"{STEADY} first")
    booted.apply()
    yield booted
    booted.configure()
    booted.host.nethook("clear", "--yes")


def test_a_new_line(site: Site) -> None:
    assert site.answers(MOVING) is None
    site.configure(f"{STEADY} first", f"{MOVING} first", f"{SIX} first")
    assert site.states() == {STEADY: "routed", MOVING: "not applied", SIX: "not applied"}
    with flow(site.lab.wan, STEADY) as running:
        site.put_in_force(
            f"+ route {MOVING} → br-first (first), {FILE}:2", f"+ route {SIX} → br-first (first), {FILE}:3"
        )
    assert running.sent > 3
    assert running.lost == 0
    assert site.answers(MOVING) == site.answers(SIX) == "web1"
    assert site.states() == {STEADY: "routed", MOVING: "routed", SIX: "routed"}


def test_a_line_removed(site: Site) -> None:
    with flow(site.lab.wan, STEADY) as running:
        site.configure(f"{STEADY} first", f"{MOVING} first")
        site.apply()
        assert site.answers(MOVING) == "web1"
        site.configure(f"{STEADY} first")
        status = site.host.nethook("status")
        assert status.returncode == 1
        assert f"- route {MOVING} → br-first" in status.stdout
        site.put_in_force(f"- route {MOVING} → br-first")
    assert running.lost == 0
    assert site.answers(MOVING) is None
    assert site.answers(STEADY) == "web1"


def test_a_line_moved_to_another_network(site: Site) -> None:
    site.configure(f"{STEADY} first", f"{MOVING} first")
    site.apply()
    with flow(site.lab.wan, STEADY) as running:
        site.configure(f"{STEADY} first", f"{MOVING} second")
        assert site.states() == {STEADY: "routed", MOVING: "not applied"}
        site.put_in_force(f"- route {MOVING} → br-first", f"+ route {MOVING} → br-second (second), {FILE}:2")
        assert site.answers(MOVING) == "web2"
    assert running.lost == 0


def test_a_network_that_stopped_and_started_unseen(site: Site) -> None:
    site.configure(f"{STEADY} first", f"{MOVING} second")
    site.apply()
    site.other_guest.stop()
    site.second.stop()
    assert site.states() == {STEADY: "routed", MOVING: "waiting"}
    site.put_in_force(f"- accept {MOVING} on br-second", "- bridge br-second as one of libvirt's")
    site.second.start()
    site.other_guest.start()
    assert site.states() == {STEADY: "routed", MOVING: "not applied"}
    site.put_in_force(f"+ route {MOVING} → br-second (second), {FILE}:2")
    assert site.answers(MOVING) == "web2"


DAMAGES = {
    "the table": "nft delete table inet nethook",
    "a route": f"ip route del {STEADY}",
    "an element": f"nft delete element inet nethook to4 {{ br-first . {STEADY} }}",
    "all rules": "nft flush table inet nethook",
    "libvirt's rules anew": "systemctl restart libvirtd",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_somebody_broke(site: Site, damage: str) -> None:
    site.host.run(["sh", "-c", DAMAGES[damage]])
    site.host.wait_for_libvirt()
    if damage != "libvirt's rules anew":
        assert site.answers(STEADY) is None
        assert site.states() == {STEADY: "not applied"}
    site.apply()
    assert site.answers(STEADY) == "web1"


def test_a_gate_that_somebody_closed(site: Site) -> None:
    gate = next(line for line in site.host.nethook("status").stdout.splitlines() if line.endswith(": open")).strip()
    where = gate.removesuffix(": open")
    if where.startswith("iptables"):
        site.host.run(["sh", "-c", "iptables-save | grep -v nethook- | iptables-restore"])
    else:
        listed = site.host.run(["nft", "-a", "list", "chain", *where.split()]).stdout
        handle = next(line for line in listed.splitlines() if "nethook-" in line).split()[-1]
        site.host.run(["nft", "delete", "rule", *where.split(), "handle", handle])
    assert site.answers(STEADY) is None
    status = json.loads(site.host.nethook("status", "--json").stdout)
    (line,) = status["lines"]
    assert (line["state"], line["reason"]) == ("blocked", f"by {where}, its gate is missing; run nethook apply")
    site.put_in_force(f"+ gate in {where} (was missing)")
    assert site.answers(STEADY) == "web1"


def test_a_route_of_somebody_else(site: Site) -> None:
    site.host.run(["ip", "route", "add", MOVING, "dev", "br-second", "proto", "static"])
    try:
        site.configure(f"{STEADY} first", f"{MOVING} first")
        applied = site.host.nethook("apply")
        assert applied.returncode == 1
        assert (
            f"there is a route to it already, which is not ours: {MOVING} dev br-second proto static" in applied.stderr
        )
        assert site.states() == {STEADY: "routed", MOVING: "blocked"}
        assert site.answers(STEADY) == "web1"
    finally:
        site.host.run(["ip", "route", "del", MOVING])


def test_protection_that_somebody_removed_is_a_difference(site: Site) -> None:
    site.host.run(["nft", "delete", "element", "inet", "nethook", "routed4", f"{{ {STEADY} }}"])
    status = site.host.nethook("status")
    assert status.returncode == 1
    assert f"  + guard {STEADY} against forgery" in status.stdout
    site.put_in_force(f"+ guard {STEADY} against forgery")
    assert site.host.nethook("status").returncode == 0


def test_the_gate_of_a_family_goes_with_its_last_line(site: Site) -> None:
    site.configure(f"{STEADY} first", f"{SIX} first")
    (opened,) = (line for line in site.apply() if line.startswith("+ gate in ip6"))
    where = opened.removeprefix("+ ").partition(" (")[0]
    site.configure(f"{STEADY} first")
    site.put_in_force(f"- {where}")


def test_several_at_once_do_not_keep_each_other_from_it(site: Site) -> None:
    site.host.nethook("clear", "--yes")
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda _: site.host.nethook("apply", "--verbose"), range(4)))
    assert [(each.returncode, each.stderr.replace("nethook: nothing to do\n", "")) for each in ended] == [(0, "")] * 4
    assert sum("+ route" in each.stdout for each in ended) == 1
    assert {each.stdout.splitlines()[-1] for each in ended} == {"1 line: 1 routed"}
    assert site.answers(STEADY) == "web1"


CHANGED_MEANWHILE = f"""
exec 9< /run/nethook
flock 9
nethook apply 9<&- &
until find /proc/[0-9]*/fd -lname /run/nethook 2> /dev/null 9<&- | grep -qv "^/proc/$$/" 9<&-; do :; done
echo '{STEADY} first' > {FILE}
touch /run/nethook
exec 9<&-
wait
"""
"""A run that comes between: it has the lock, and leaves it when somebody waits for it and the file is another one."""


def test_a_file_that_changes_while_another_run_goes_first(site: Site) -> None:
    site.configure(f"{STEADY} first", f"{MOVING} first")
    site.host.run(["sh", "-c", CHANGED_MEANWHILE])
    assert site.answers(MOVING) is None
    assert site.plan() == []


def test_all_is_logged_although_nobody_reads_it(site: Site) -> None:
    site.host.nethook("clear", "--yes")
    site.configure(*(f"203.0.113.{number} first" for number in range(100, 200)), f"{STEADY} first")
    site.host.run(["sh", "-c", "nethook apply --verbose | head -1"])
    last = f"+ route {STEADY} → br-first (first), {FILE}:101 [apply]"
    wait_for(lambda: last in site.host.syslog("nethook"), "the last change is in the log")


@pytest.mark.parametrize(("stdout", "status"), [(">&-", 0), ("> /dev/full", 1)])
def test_all_is_done_although_nobody_can_be_told(site: Site, stdout: str, status: int) -> None:
    site.configure(f"{STEADY} first", f"{MOVING} first")
    ended = site.host.run(["sh", "-c", f"nethook apply {stdout}"], check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (status, False)
    assert site.plan() == []
    assert site.answers(MOVING) == "web1"


def test_one_network_only(site: Site) -> None:
    site.configure(f"{STEADY} first", f"{MOVING} second", f"{SIX} first")
    applied = site.apply("second")
    assert f"+ route {MOVING} → br-second (second), {FILE}:2" in applied
    assert not any("br-first" in line for line in applied)
    assert site.states() == {STEADY: "routed", MOVING: "routed", SIX: "not applied"}
    unknown = site.host.nethook("apply", "secnd")
    assert (unknown.returncode, unknown.stderr) == (2, "nethook: libvirt has no network secnd: did you mean second?\n")


def test_with_mistakes_nothing_is_changed_unless_that_is_wanted(site: Site) -> None:
    site.configure(f"{STEADY} firts first", f"{MOVING} first")
    for verb, status in (("plan", 2), ("apply", 1)):
        refused = site.host.nethook(verb)
        assert (refused.returncode, refused.stdout) == (status, "")
        assert f"{FILE}:1:20: first is not an option\n    {STEADY} firts first\n" in refused.stderr
    assert site.answers(MOVING) is None
    assert site.apply("--keep-going")[-1] == f"+ route {MOVING} → br-first (first), {FILE}:2"
    assert site.answers(MOVING) == "web1"
    assert site.answers(STEADY) == "web1"
    assert site.host.nethook("status").returncode == 1


def test_commands_do_what_apply_does(site: Site) -> None:
    site.configure(f"{STEADY} first", f"{MOVING} first")
    commands = site.host.nethook("plan", "--commands").stdout
    site.host.run(["sh", "-e"], stdin=commands)
    assert site.plan() == []
    assert site.answers(MOVING) == "web1"


def test_check_knows_the_networks_and_addresses_of_the_host(site: Site) -> None:
    clean = site.host.nethook("check")
    assert (clean.returncode, clean.stdout) == (0, "")
    site.configure(
        f"{STEADY}       frist",
        "192.168.60.0/28    first",
        "192.168.50.7       first",
        "192.168.60.7       second",
        f"{site.host.place.ipv4}      first",
    )
    checked = site.host.nethook("check")
    assert checked.returncode == 1
    never, translated = "packets to it never reach a guest", "to which libvirt applies NAT"
    assert [line for line in checked.stdout.splitlines() if line.startswith("/")] == [
        f"{FILE}:1:20: libvirt has no network frist",
        f"{FILE}:2:1: 192.168.60.0/28 overlaps the subnet 192.168.60.0/24 of network second",
        f"{FILE}:2:1: 192.168.60.1 is an address of this host, on br-second: {never}",
        f"{FILE}:3:1: 192.168.50.7 overlaps the subnet 192.168.50.0/24 of network first itself, {translated}",
        f"{FILE}:5:1: {site.host.place.ipv4} is an address of this host, on uplink0: {never}",
    ]
    assert f"    {STEADY}       frist\n                       ^\n    did you mean first?\n" in checked.stdout


NAMES = [
    (f"{STEADY} frist", "libvirt has no network frist", "did you mean first?"),
    (f"{STEADY} first guest=wbe1", "libvirt has no guest wbe1", "did you mean web1?"),
    (f"{STEADY} nowhere guest=web1", "libvirt has no network nowhere", "first"),
]


@pytest.mark.parametrize(("line", "what", "advice"), NAMES)
def test_a_name_that_libvirt_does_not_have_withdraws_nothing(site: Site, line: str, what: str, advice: str) -> None:
    """The same mistake for check, plan and apply. What is in force stays, what is not waits, all else is done."""
    waiting = line.replace(STEADY, SIX)
    site.configure(line, waiting, f"{MOVING} first")
    with flow(site.lab.wan, STEADY) as running:
        for verb in ("check", "plan", "apply", "apply"):
            done = site.host.nethook(verb)
            told = done.stdout + done.stderr
            assert done.returncode == 1, told
            assert f"{FILE}:1:" in told
            assert what in told
            assert advice in told
            assert f"- route {STEADY}" not in told
    assert running.lost == 0
    assert site.states() == {STEADY: "routed", SIX: "waiting", MOVING: "routed"}
    status = site.host.nethook("status")
    assert status.returncode == 1
    assert f"{what}; it stays as it was" in status.stdout
    diagnosed = site.host.nethook("doctor")
    assert what in diagnosed.stdout
    assert "our table" not in diagnosed.stdout
    assert "leftovers" not in diagnosed.stdout
    assert site.answers(STEADY) == site.answers(MOVING) == "web1"
    assert site.answers(SIX) is None
    site.configure(f"{STEADY} first", f"{SIX} first", f"{MOVING} first")
    site.apply()
    assert site.answers(SIX) == "web1"


def test_a_network_that_was_removed_is_like_a_wrong_name(site: Site) -> None:
    """Its routes went with its bridge; the line waits, and is a mistake until somebody corrects it."""
    gone = site.host.network("gone", mode="nat", addresses=["192.168.70.1/24"])
    site.configure(f"{STEADY} first", "203.0.113.70 gone")
    site.apply()
    gone.stop()
    site.host.virsh("net-undefine", "gone")
    for verb in ("check", "plan", "apply"):
        done = site.host.nethook(verb)
        assert done.returncode == 1, verb
        assert "libvirt has no network gone" in done.stdout + done.stderr
    assert site.answers(STEADY) == "web1"
    assert "No route to host" in site.host.run(["ip", "route", "get", "203.0.113.70"], check=False).stderr


def test_a_line_that_the_host_could_not_live_with(site: Site) -> None:
    """Its own address, its gateway, and more of its uplink's subnet: refused, all else is done, the host is there."""
    own, router = site.host.place.ipv4, "198.51.100.1"
    dangerous = [f"{own} first", f"{router} first", "198.51.100.0/25 first"]
    site.configure(*dangerous, f"{MOVING} first")
    for verb in ("check", "plan", "apply"):
        done = site.host.nethook(verb)
        told = done.stdout + done.stderr
        assert done.returncode == 1, told
        assert f"{own} is an address of this host, on uplink0" in told
        assert f"{FILE}:2:1: {router} is a next hop of this host's routes, on uplink0" in told
        once_for_both = "the host would not reach it any more (here and in 1 more line)"
        assert f"{FILE}:3:1: {router} is a next hop of this host's routes, on uplink0" in told or once_for_both in told
    assert site.answers(MOVING) == "web1"
    assert site.lab.wan.ping(own, 2)
    listed = site.host.run(["ip", "route", "show", "proto", "218"]).stdout
    assert [line.split()[0] for line in listed.splitlines()] == [MOVING]
    states = site.states()
    assert states.pop(MOVING) == "routed"
    assert set(states.values()) == {"blocked"}
    assert site.host.nethook("status").returncode == 1
    for addresses in ((), (own,), (router,), ("198.51.100.0/25",)):
        diagnosed = site.host.nethook("doctor", *addresses)
        assert diagnosed.returncode == 1
        assert "address del" not in diagnosed.stdout
        assert "route del" not in diagnosed.stdout
        assert f"change the line at {FILE}:" in diagnosed.stdout


def test_where_the_administrator_is_connected_from(site: Site) -> None:
    site.configure("192.0.2.0/24 first")
    command = ["env", "SSH_CONNECTION=192.0.2.1 40000 198.51.100.2 22", "nethook"]
    applied = site.host.run([*command, "apply"], check=False)
    assert applied.returncode == 1
    assert "you are connected from 192.0.2.1" in applied.stderr
    assert "192.0.2.0/24" not in site.host.run(["ip", "route"]).stdout
    assert site.host.run([*command, "check"], check=False).returncode == 1


HIDING = "/etc/nethook/routed-ips"


@pytest.fixture
def hidden(site: Site) -> Iterator[Site]:
    """Somebody writes a file that comes before the one in force, and has only one other line."""
    site.host.write(HIDING, f"{MOVING} first\n")
    yield site
    site.host.run(["rm", "-f", HIDING])


def test_a_file_that_hides_the_one_in_force_withdraws_nothing_by_itself(hidden: Site) -> None:
    applied = hidden.host.nethook("apply")
    assert applied.returncode == 1
    assert f"{STEADY} of {FILE} stay in force" in applied.stderr
    assert hidden.answers(STEADY) == hidden.answers(MOVING) == "web1"
    assert hidden.host.nethook("apply").returncode == 1
    status = hidden.host.nethook("status")
    assert status.returncode == 1
    assert f"{STEADY} of {FILE} stay in force" in status.stderr
    withdrawn = hidden.host.nethook("apply", "--yes", "--verbose")
    assert withdrawn.returncode == 0, withdrawn.stderr
    assert f"- route {STEADY} → br-first" in withdrawn.stdout.splitlines()
    assert hidden.answers(STEADY) is None


@pytest.mark.parametrize(("answer", "is_withdrawn"), [("n", False), ("y", True)])
def test_at_a_terminal_apply_asks_before_it_withdraws_what_is_hidden(
    hidden: Site, answer: str, is_withdrawn: bool
) -> None:
    with Terminal(hidden.host.command(["env", "TERM=xterm", "nethook", "apply"])) as terminal:
        terminal.wait_for("Withdraw them")
        terminal.press(f"{answer}\n")
        terminal.wait_for_end()
    assert (hidden.answers(STEADY) is None) == is_withdrawn
    assert (hidden.answers(MOVING) is None) != is_withdrawn


def test_a_line_to_which_libvirt_has_a_route_itself(site: Site) -> None:
    """The network starts again and again, with the line in force; check says that the route is libvirt's."""
    xml = """<network><name>own-route</name><forward mode='open'/><bridge name='virbr-own' stp='off'/>
    <ip address='192.168.123.1' prefix='30'/>
    <route family='ipv4' address='203.0.113.90' prefix='32' gateway='192.168.123.2'/></network>"""
    site.configure(f"{STEADY} first", "203.0.113.90 own-route via=192.168.123.2")
    site.host.run(["virsh", "net-define", "/dev/stdin"], stdin=xml)
    try:
        for _ in range(2):
            site.host.virsh("net-start", "own-route")
            assert site.host.nethook("apply").returncode == 0
            checked = site.host.nethook("check")
            assert checked.returncode == 0
            assert "warning: libvirt itself adds the <route> of network own-route to 203.0.113.90" in checked.stdout
            site.host.virsh("net-destroy", "own-route")
            assert site.host.nethook("apply").returncode == 0
        site.configure(f"{STEADY} first", "203.0.113.90 first")
        refused = site.host.nethook("apply")
        assert refused.returncode == 1
        assert "libvirt would not start own-route" in refused.stderr
        site.host.virsh("net-start", "own-route")
        site.host.virsh("net-destroy", "own-route")
    finally:
        site.host.virsh("net-undefine", "own-route")


def test_an_uplink_that_is_not_there(site: Site) -> None:
    site.configure(f"{STEADY} first proxy=nope0")
    what = "there is no device nope0"
    checked = site.host.nethook("check")
    assert f"{FILE}:1:20: {what}\n" in checked.stdout
    assert "default routes use: uplink0\n" in checked.stdout
    applied = site.host.nethook("apply")
    assert (applied.returncode, applied.stderr) == (1, f"nethook: cannot add proxy {STEADY} dev nope0: {what}\n")
    assert applied.stdout == "1 line: 1 blocked; to see why, run `nethook status`\n"
    assert site.states() == {STEADY: "blocked"}
    shown = site.host.nethook("status").stdout
    assert what in shown
    assert "Not in force yet" not in shown
    assert f"the host cannot answer for {STEADY}: {what}" in site.host.nethook("doctor", STEADY).stdout
    site.configure(f"{STEADY} first proxy=br-first")
    assert "br-first is the bridge of network first" in site.host.nethook("check").stdout


def test_of_networks_that_are_not_named_nothing_is_said(site: Site) -> None:
    site.configure(f"{STEADY} first", f"{MOVING} nowhere")
    for verb in ("plan", "apply"):
        assert "libvirt has no network nowhere" in site.host.nethook(verb).stderr
        assert "nowhere" not in site.host.nethook(verb, "first").stderr


def test_traffic_is_counted(site: Site) -> None:
    site.lab.wan.ping(STEADY)
    (line,) = json.loads(site.host.nethook("status", STEADY, "--json").stdout)["lines"]
    assert (line["received"], line["sent"]) == ({"packets": 1, "bytes": 84}, {"packets": 1, "bytes": 84})


ENTER_SCREEN, LEAVE_SCREEN = r"\033\[\?1049h", "\033[?1049l"
TERM = ["env", "TERM=xterm", "LC_ALL=C.UTF-8", "nethook"]


@pytest.mark.parametrize("key", ["q", "\x03"], ids=["q", "Ctrl-C"])
def test_watching_shows_rates_until_it_is_left(site: Site, key: str) -> None:
    # In a terminal inside, because what enters the host's namespaces would end at Ctrl-C as well.
    told = "trap : INT; stty -g; nethook status --watch; status=$?; echo; echo status $status; stty -g; echo end"
    with Terminal(site.host.command([*TERM[:-1], "script", "-qc", told, "/dev/null"])) as terminal:
        terminal.wait_for(ENTER_SCREEN)
        with flow(site.lab.wan, STEADY):
            terminal.wait_for(r"\d\d/s \d\dkb/s")
        terminal.press(key)
        terminal.wait_for("end\r\n")
    before, _, rest = terminal.printed.partition("\r\n")
    assert rest.rpartition(LEAVE_SCREEN)[2].splitlines() == ["", "status 0", before, "end"]


def test_watching_needs_a_terminal(site: Site) -> None:
    refused = site.host.nethook("status", "--watch")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--watch needs a terminal" in refused.stderr


def test_watching_leaves_a_dumb_terminal_alone(site: Site) -> None:
    with Terminal(site.host.command(["env", "TERM=dumb", *TERM[2:], "status", "--watch"])) as terminal:
        terminal.wait_for_end()
    assert terminal.status == 2
    assert terminal.printed.startswith("nethook: --watch needs a terminal that can be painted")
    assert "\033" not in terminal.printed


@pytest.mark.parametrize("arguments", [["status"], ["status", "--watch"]], ids=["once", "live"])
def test_an_address_is_whole_at_a_terminal(site: Site, arguments: list[str]) -> None:
    site.configure(f"{STEADY} first guest=web1", f"{MOVING} nowhere", f"{SIX} first guest=web1")
    site.host.nethook("apply")
    command = site.host.command([*TERM[:-1], "script", "-qc", f"nethook {' '.join(arguments)}", "/dev/null"])
    with Terminal(command, columns=80) as terminal:
        terminal.wait_for("Gates in other firewalls")
        terminal.press("q")
        terminal.wait_for_end()
    lines = [line.rstrip() for line in re.sub(r"\033\[\d*[mK]", "", terminal.printed).split("\r\n")]
    (heading,) = [line for line in lines if line.endswith("LINE")]
    assert heading.split()[:4] == ["ADDRESS", "STATE", "NETWORK", "GUEST"]
    assert max(len(line) for line in lines[lines.index(heading) :]) <= 80
    at = [next(number for number, line in enumerate(lines) if line.startswith(f"{a} ")) for a in (STEADY, MOVING, SIX)]
    assert lines[at[1] + 1] == "    libvirt has no network nowhere"
    assert at == [at[1] + 2, at[1], at[1] + 3]  # what waits comes first


@pytest.mark.parametrize(("answer", "is_cleared"), [("y", True), ("n", False), ("", False)])
def test_clear_asks_at_a_terminal(site: Site, answer: str, is_cleared: bool) -> None:
    with Terminal(site.host.command([*TERM, "clear"])) as terminal:
        terminal.wait_for(r"Go on\? \[y/N\] ")
        terminal.press(f"{answer}\n")
        terminal.wait_for_end()
    assert terminal.status == (0 if is_cleared else 1)
    assert (site.answers(STEADY) is None) == is_cleared


def test_colours_are_for_terminals(site: Site) -> None:
    site.configure(f"{STEADY} first", f"{MOVING} first")
    for command, coloured in (([*TERM, "plan"], True), (["env", "NO_COLOR=1", *TERM, "plan"], False)):
        with Terminal(site.host.command(command)) as terminal:
            terminal.wait_for_end()
        assert ("\033[32m+ route" in terminal.printed) == coloured
    assert "\033" not in site.host.nethook("plan").stdout


def test_clear_leaves_the_host_as_it_was(booted: Site) -> None:
    booted.host.nethook("clear", "--yes")
    before = _listings(booted)
    booted.configure(f"{STEADY} first", "203.0.113.16/29 second", f"{SIX} first", "2001:db8:7:1::/64 second")
    booted.apply()
    assert booted.answers(SIX) == "web1"
    assert _listings(booted) != before
    unconfirmed = booted.host.nethook("clear")
    assert (unconfirmed.returncode, unconfirmed.stdout) == (1, "")
    assert booted.answers(SIX) == "web1"
    assert booted.host.nethook("clear", "--yes").returncode == 0
    assert _listings(booted) == before
    assert booted.answers(SIX) is None


def _listings(site: Site) -> list[str]:
    listed = [site.host.run(["sh", "-c", command], check=False).stdout for command in LISTINGS]
    without_times = ("\n".join(line for line in text.splitlines() if not line.startswith("#")) for text in listed)
    return list(without_times)


def test_without_root(site: Site) -> None:
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "nethook"]
    status = site.host.run([*nobody, "status"], check=False)
    assert status.returncode == 2
    assert "there is a route; only root can see the firewalls" in status.stdout
    assert site.host.run([*nobody, "check"], check=False).returncode == 0
    for verb, what in (("plan", "read nftables and iptables"), ("apply", "change routes and rules")):
        refused = site.host.run([*nobody, verb], check=False)
        assert (refused.returncode, refused.stderr) == (2, f"nethook: only root can {what}: try it with sudo\n")
    if site.host.run(["test", "-d", "/etc/firewalld"], check=False).returncode == 0:
        install = site.host.run([*nobody, "install", "--dry-run"], check=False)
        assert (install.returncode, install.stdout) == (2, "")
        assert install.stderr.splitlines()[-1].startswith("nethook: only root may read /etc/firewalld/")
        uninstall = site.host.run([*nobody, "uninstall", "--dry-run"], check=False)
        assert "only root can see our files in firewalld's folder" in uninstall.stderr


STOPPING = """
import libvirt
from nethook.libvirt import live

class Stopping:
    def __getattr__(self, name):
        return getattr(network, name)
    def isActive(self):
        return 1

network = libvirt.openReadOnly(live.URI).networkLookupByName("second")
print(live._live(libvirt, Stopping()).is_active)
"""
"""A network that stops when it has just said that it is active, as seen by libvirt's real answers behind that."""


def test_a_network_that_stops_while_libvirt_is_asked_is_not_active(site: Site) -> None:
    site.other_guest.stop()
    site.second.stop()
    assert site.host.run(["/usr/bin/python3", "-c", STOPPING]).stdout == "False\n"
    site.second.start()
    site.other_guest.start()


def test_what_libvirt_does_not_tell_is_said(site: Site) -> None:
    site.host.run(
        ["systemctl", "stop", "libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket"]
    )
    try:
        applied = site.host.nethook("apply")
        assert applied.returncode == 2
        assert applied.stderr.startswith("nethook: libvirt does not list its networks: ")
        checked = site.host.nethook("check")
        assert checked.returncode == 0
        assert "the files were not compared with this host and its networks" in checked.stderr
    finally:
        site.host.run(["systemctl", "start", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd.service"])
        site.host.wait_for_libvirt()
    assert site.answers(STEADY) == "web1"
    wait_for(lambda: site.states() == {STEADY: "routed"}, "libvirt tells again")
