"""The page in Cockpit, in a real browser: what people click happens, and packets from outside tell so."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from playwright.sync_api import expect, sync_playwright

from lab.hosts.container import SHARED
from lab.hosts.lab import Lab
from lab.hosts.roots import COCKPIT
from lab.packages.builds import released_here
from lab.packages.page import AXE, built
from lab.packages.sources import NAME
from lab.waiting import wait_for
from nethook import __version__
from tests.hosts.browser import MS, PASSWORD, Session, accounts, chromium
from tests.hosts.conftest import LOGS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

    from lab.hosts.guest import Guest
    from lab.hosts.network import HostNetwork
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

ROUTED, FORWARDED = "/etc/default/routed-ips", "/etc/default/forwarded-ports"
FIRST, OTHER, PRIVATE, MAC = "203.0.113.10", "203.0.113.11", "192.168.50.7", "52:54:00:00:00:07"
PORT = 8080
HOSTILE_GUEST = """<img src=x onerror="document.title='gone'">'\u202etxt.exe"""
HOSTILE_NETWORK = "<b>lan<b> & 'co' \u200f"
SHOWN_GUEST = """<img src=x onerror="document.title='gone'">'\\u{202e}txt.exe"""
SHOWN_NETWORK = "<b>lan<b> & 'co' \\u{200f}"
MANY = 500


class Site(NamedTuple):
    lab: Lab
    host: SystemdHost
    network: HostNetwork
    guest: Guest
    browser: Browser

    def answers(self, address: str, port: int = 80) -> str:
        """The name of the guest that answers from outside, '' without one."""
        return (self.lab.wan.fetch(address, port) or "").partition(" ")[0]

    def wait_for_answer(self, address: str, port: int = 80, *, of: str = "web1") -> None:
        wait_for(lambda: self.answers(address, port) == of, f"{of or 'nobody'} answers at {address}:{port}", 60)


@contextmanager
def booted(playwright: Playwright, suite: str, backend: str | None, folder: Path) -> Iterator[Site]:
    """A host with Cockpit and our packages, without a line yet; and a guest that has the addresses of its lines."""
    with Lab() as lab:
        host = lab.host(suite, firewall_backend=backend, layer=COCKPIT)
        lab.wan.deliver("203.0.113.0/24", host)
        for package in (NAME, "cockpit-nethook"):
            shutil.copy(released_here() / f"{package}_{__version__}-1_all.deb", host.shared / f"{package}.deb")
        install = f"apt-get -q -y --no-install-recommends install {SHARED}/{NAME}.deb {SHARED}/cockpit-nethook.deb"
        host.run(["sh", "-c", f"DEBIAN_FRONTEND=noninteractive {install}"])
        host.run(["nethook", "install", "--enable-forwarding"])
        accounts(host)
        network = host.network("public", addresses=["192.168.50.1/24"], reserves={MAC: PRIVATE})
        addresses = [f"{PRIVATE}/24", f"{FIRST}/32", f"{OTHER}/32"]
        guest = host.guest("web1", network="public", addresses=addresses, gateways=["192.168.50.1"], mac=MAC)
        guest.start()
        with chromium(playwright, lab, folder) as browser:
            yield Site(lab, host, network, guest, browser)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def site(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with booted(playwright, "trixie", "nftables", tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture(scope="module")
def window(site: Site) -> Iterator[Session]:
    """root's window, which stays open; the tests are what somebody does one after the other."""
    session = Session(site.browser, site.host, "root", viewport={"width": 1280, "height": 900})
    yield session
    session.close()


@pytest.fixture
def root(window: Session) -> Iterator[Session]:
    """The same, without a dialog that a test has left open."""
    yield window
    if window.dialog().count():
        window.close_dialog()


@pytest.fixture(scope="module")
def axe() -> str:
    return (built() / AXE).read_text(encoding="utf-8")


def picture(session: Session, name: str, *, documents: bool = False) -> None:
    """Keep a screenshot; ``documents``: it is one of those in docs/ that `make cockpit-screenshots` takes."""
    session.picture(LOGS / f"cockpit-{name}.png")
    folder = os.environ.get("NETHOOK_SCREENSHOTS")
    if documents and folder:
        session.picture(Path(folder) / f"cockpit-{name}.png")


def test_an_address_is_given_to_a_guest(site: Site, root: Session, axe: str) -> None:
    expect(root.verdict).to_have_text("No addresses and no ports lead to guests yet", timeout=MS)
    root.button("Add address").click()
    root.field("address").fill("203.0.113.300")
    root.field("network").select_option("public")
    root.button("Show the changes").click()
    expect(root.field("address-help")).to_contain_text("203.0.113.300 is not an IPv4 address", timeout=MS)
    expect(root.field("address")).to_have_attribute("aria-invalid", "true")
    assert root.faults_of_access(axe) == []
    root.field("address").fill(FIRST)
    root.field("guest").select_option("web1")
    root.button("Show the changes").click()
    expect(root.dialog()).to_contain_text(f"route {FIRST} → br-public (public, guest web1)", timeout=MS)
    assert root.faults_of_access(axe) == []
    picture(root, "add", documents=True)
    assert site.host.run(["test", "-e", ROUTED], check=False).returncode != 0
    assert site.answers(FIRST) == ""
    root.button("Add and apply").click()
    expect(root.state(FIRST)).to_have_text("routed", timeout=MS)
    assert site.answers(FIRST) == "web1"
    assert site.host.read(ROUTED) == f"{FIRST}  public  guest=web1\n"
    expect(root.verdict).to_have_text("All is well: 1 line is in force", timeout=MS)


def test_a_port_is_forwarded(site: Site, root: Session) -> None:
    place = site.host.place.ipv4
    root.button("Forward port").click()
    root.field("address").fill("203.0.113.5")
    root.field("ports").fill(" ")
    root.field("network").select_option("public")
    root.field("guest").select_option("web1")
    root.button("Show the changes").click()
    expect(root.dialog()).to_contain_text(f"forward 203.0.113.5 → {PRIVATE}", timeout=MS)
    root.field("address").fill(place)
    root.field("ports").fill(f"{PORT}x")
    root.field("network").select_option("public")
    root.field("guest").select_option("web1")
    root.button("More options").click()
    root.field("to").fill("0")
    root.button("Show the changes").click()
    expect(root.field("ports-help")).to_contain_text("is not a port", timeout=MS)
    expect(root.field("to-help")).to_contain_text("0", timeout=MS)
    root.field("ports").fill(str(PORT))
    root.field("to").fill("80")
    root.button("Show the changes").click()
    expect(root.dialog()).to_contain_text(f"forward {place}:{PORT}/tcp → {PRIVATE}:80", timeout=MS)
    root.button("Add and apply").click()
    expect(root.state(f"{place}:{PORT}/tcp")).to_contain_text("forwarded", timeout=MS)
    assert site.answers(place, PORT) == "web1"


def test_the_doctor_examines_one_port_of_an_address(site: Site, root: Session) -> None:
    place = site.host.place.ipv4
    lines = site.host.read(FORWARDED)
    site.host.write(FORWARDED, f"{lines}{place}:81 public guest=mail\n")
    root.act(f"{place}:{PORT}/tcp", "Why not?")
    said = root.dialog().locator(".nethook-said")
    expect(said).to_have_text(re.compile("Nothing is wrong: the guest has answered|Packets get through"), timeout=MS)
    root.close_dialog()
    root.act(f"{place}:81/tcp", "Why not?")
    expect(said).to_contain_text("Packets do not get through", timeout=MS)
    expect(root.dialog()).to_contain_text("guest mail")
    root.close_dialog()
    site.host.write(FORWARDED, lines)
    expect(root.row(f"{place}:81/tcp")).to_have_count(0, timeout=MS)


def show_traffic(site: Site, session: Session) -> None:
    """Have packets flow, and return when the page shows it."""
    row = session.row(FIRST)

    def is_seen() -> bool:
        site.answers(FIRST)
        points = row.locator("polyline").first.get_attribute("points") or ""
        heights = {point.split(",")[1] for point in points.split()}
        return len(heights) > 1 and re.search(r"↓ [1-9][\d.]* k?B/s", row.inner_text()) is not None

    wait_for(is_seen, "the page shows traffic", 60)


def test_traffic_is_seen_live(site: Site, root: Session) -> None:
    show_traffic(site, root)


def test_a_line_is_edited_in_its_place(site: Site, root: Session) -> None:
    site.host.write(ROUTED, f"# ours\n{FIRST} public guest=web1 # the web\n")
    root.act(FIRST, "Edit")
    expect(root.field("guest")).to_have_value("web1", timeout=MS)
    root.field("address").fill(OTHER)
    root.button("Show the changes").click()
    expect(root.dialog()).to_contain_text(f"route {OTHER} →", timeout=MS)
    root.button("Save and apply").click()
    expect(root.state(OTHER)).to_contain_text("routed", timeout=MS)
    assert site.host.read(ROUTED) == f"# ours\n{OTHER}  public  guest=web1 # the web\n"
    assert (site.answers(OTHER), site.answers(FIRST)) == ("web1", "")


def test_the_doctor_finds_a_stopped_network_and_starts_it(site: Site, root: Session, axe: str) -> None:
    site.network.stop()
    expect(root.state(OTHER)).to_contain_text("waiting", timeout=MS)
    assert site.answers(OTHER) == ""
    root.row(OTHER).get_by_role("button", name="Why not?").click()
    expect(root.dialog()).to_contain_text("Packets do not get through", timeout=MS)
    expect(root.dialog().locator("[aria-current=step]")).to_have_count(1)
    assert root.faults_of_access(axe) == []
    picture(root, "doctor", documents=True)
    repair(root)
    root.close_dialog()
    site.wait_for_answer(OTHER)


def repair(session: Session) -> None:
    """Run what the doctor shows, until it finds no failure. Each run shows the next cause, if there is one."""
    said = session.dialog().locator(".nethook-said")
    for _ in range(5):
        if "do not get through" not in said.inner_text():
            return
        before = session.dialog().inner_text()
        session.button("Run this command").first.click()
        wait_for(lambda before=before: session.dialog().inner_text() != before, "the doctor has looked again", 120)  # type: ignore[misc]
    raise AssertionError(session.dialog().inner_text())


def test_the_doctor_finds_the_drop_of_an_administrator(site: Site, root: Session) -> None:
    rules = f"table inet web {{ chain forward {{ type filter hook forward priority 0; ip daddr {OTHER} drop; }}; }}"
    site.host.run(["nft", "-f", "-"], stdin=rules)
    assert site.answers(OTHER) == ""
    expect(root.state(OTHER)).to_contain_text("blocked", timeout=MS)
    expect(root.verdict).to_contain_text("1 of 2 lines is blocked", timeout=MS)
    root.row(OTHER).get_by_role("button", name="Why not?").click()
    expect(root.dialog().locator("[aria-current=step]")).to_contain_text("firewall", timeout=MS)
    expect(root.dialog()).to_contain_text("chain inet web forward drops packets to the guest")
    repair(root)
    root.close_dialog()
    site.wait_for_answer(OTHER)
    site.host.run(["nft", "delete", "table", "inet", "web"])


def test_the_configuration_of_the_guest_is_copied(site: Site, root: Session) -> None:
    root.act(OTHER, "Guest configuration")
    root.field("format").select_option("ifcfg")
    root.button("Copy: Configuration of the guest").click()
    printed = site.host.run(["nethook", "guest-config", OTHER, "--format", "ifcfg"]).stdout
    wait_for(lambda: root.page.evaluate("navigator.clipboard.readText()") == printed, "it is copied", 30)
    root.close_dialog()


def test_a_line_is_removed_by_keyboard(site: Site, root: Session) -> None:
    root.button(f"Actions of {OTHER}").focus()
    items = root.ours.get_by_role("menuitem")
    root.page.keyboard.press("Enter")
    expect(items.first).to_be_focused(timeout=MS)
    root.page.keyboard.press("ArrowUp")
    expect(items.last).to_be_focused(timeout=MS)
    root.page.keyboard.press("Enter")
    expect(root.dialog()).to_contain_text(f"route {OTHER} →", timeout=MS)
    expect(root.button("Remove and apply")).to_be_enabled(timeout=MS)
    while not root.button("Remove and apply").evaluate("button => button === document.activeElement"):
        root.page.keyboard.press("Tab")
    root.page.keyboard.press("Enter")
    expect(root.row(OTHER)).to_have_count(0, timeout=MS)
    assert site.answers(OTHER) == ""
    assert site.host.read(ROUTED) == "# ours\n"


def test_the_history_tells_what_was_done_and_why(root: Session) -> None:
    root.button("History").click()
    row = root.ours.locator("#history").get_by_role("row").filter(has_text=f"+ route {FIRST} →").last
    expect(row).to_contain_text("apply", timeout=MS)
    root.button("History").click()


def test_hostile_names_are_only_shown(site: Site, root: Session) -> None:
    site.host.network(HOSTILE_NETWORK, bridge="br-co", addresses=["192.168.60.1/24"])
    site.host.guest(HOSTILE_GUEST, network=HOSTILE_NETWORK, addresses=["203.0.113.20/32"], gateways=[])
    listed = [line.split() for line in site.host.nethook("networks").stdout.splitlines()]
    assert ["public", "active", "nat", "br-public", "192.168.50.0/24", "web1"] in listed
    title = root.page.title()
    root.button("Add address").click()
    root.field("address").fill("203.0.113.20")
    root.field("guest").select_option(HOSTILE_GUEST)
    expect(root.field("network")).to_have_value(HOSTILE_NETWORK)
    expect(root.field("guest").locator("option:checked")).to_have_text(f"{SHOWN_GUEST} (not running)")
    root.button("Show the changes").click()
    root.button("Add and apply").click()
    row = root.row("203.0.113.20")
    expect(row).to_contain_text(SHOWN_GUEST, timeout=MS)
    expect(row).to_contain_text(SHOWN_NETWORK)
    assert row.locator("img, b").count() == 0
    root.row("203.0.113.20").get_by_role("button", name="Why not?").click()
    expect(root.dialog()).to_contain_text("Packets do not get through", timeout=MS)
    assert root.dialog().locator("img").count() == 0
    root.close_dialog()
    assert root.page.title() == title
    (line,) = json.loads(site.host.nethook("status", "--json", "203.0.113.20").stdout)["lines"]
    assert (line["guest"], line["network"]) == (HOSTILE_GUEST, HOSTILE_NETWORK)
    root.act("203.0.113.20", "Remove")
    root.button("Remove and apply").click()
    expect(row).to_have_count(0, timeout=MS)


def test_mistakes_in_the_files_and_what_is_not_applied(site: Site, root: Session) -> None:
    site.host.write(ROUTED, f"{FIRST} public\n203.0.113.300 public\n")
    expect(root.ours.get_by_text(f"{ROUTED}:2: 203.0.113.300 is not an IPv4 address")).to_be_visible(timeout=MS)
    site.host.write(ROUTED, f"{FIRST} public\n{OTHER} public guest=web1\n203.0.113.12 public guest=mail\n")
    root.button("Show the changes").click()
    expect(root.dialog()).to_contain_text(f"route {FIRST} → br-public", timeout=MS)
    root.button("Apply").click()
    expect(root.dialog()).to_contain_text("guest mail", timeout=MS)
    root.close_dialog()
    site.wait_for_answer(FIRST)


def test_a_line_is_written_though_another_one_is_wrong(site: Site, root: Session) -> None:
    before = site.host.read(ROUTED)
    root.button("Add address").click()
    root.field("address").fill("203.0.113.13")
    root.field("network").select_option("public")
    dialog = root.dialog()
    dialog.get_by_role("button", name="Show the changes").click()
    expect(dialog).to_contain_text("route 203.0.113.13 → br-public", timeout=MS)
    root.button("Add and apply").click()
    expect(dialog).to_contain_text(f"the change is in {ROUTED}, but not everything is in force", timeout=MS)
    expect(dialog).to_contain_text(f"{ROUTED}:3: libvirt has no guest mail")
    expect(dialog.locator("form, button[type=submit]")).to_have_count(0)
    root.close_dialog()
    assert site.host.read(ROUTED) == f"{before}203.0.113.13  public\n"
    root.act("203.0.113.13", "Remove")
    root.button("Remove and apply").click()
    expect(dialog).to_contain_text(f"the change is in {ROUTED}, but not everything is in force", timeout=MS)
    expect(root.button("Remove and apply")).to_be_disabled()
    root.close_dialog()
    assert site.host.read(ROUTED) == before


def test_light_dark_and_narrow(site: Site, root: Session, axe: str) -> None:
    site.host.write(ROUTED, f"{FIRST} public\n{OTHER} public guest=web1\n")
    site.host.run(["nethook", "apply"])
    expect(root.state(OTHER)).to_have_text("routed", timeout=MS)
    show_traffic(site, root)
    for style in ("light", "dark"):
        root.page.emulate_media(color_scheme=style)
        for width in (1280, 390):
            root.page.set_viewport_size({"width": width, "height": 900})
            expect(root.button("Add address")).to_be_visible()
            assert root.faults_of_access(axe) == []
            narrow = root.ours.locator("body").evaluate("body => body.scrollWidth <= window.innerWidth")
            assert narrow, f"wider than a window of {width}"
            is_table = (style, width) == ("light", 1280)
            picture(root, f"{style}-{width}" if not is_table else "table", documents=is_table)
    root.page.set_viewport_size({"width": 1280, "height": 900})
    root.page.emulate_media(color_scheme="light")


def test_others_than_root_only_look(site: Site) -> None:
    session = Session(site.browser, site.host, "plain", locale="de-DE")
    expect(session.row(FIRST)).to_contain_text("only root can see", timeout=MS)
    expect(session.ours.locator("#read-only")).to_be_visible()
    expect(session.ours.get_by_role("heading", name="Öffentliche Adressen")).to_be_visible()
    for name in ("Adresse hinzufügen", "Port weiterleiten", "Warum nicht?", "Änderungen zeigen"):
        assert session.button(name).count() == 0
    session.button(f"Aktionen für {FIRST}").click()
    assert session.ours.get_by_role("menuitem").all_inner_texts() == ["Gastkonfiguration"]
    session.close()


def test_administrative_access_is_gained_in_cockpit(site: Site) -> None:
    session = Session(site.browser, site.host, "admin")
    expect(session.ours.locator("#read-only")).to_be_visible(timeout=MS)
    session.page.get_by_role("button", name="Limited access").first.click()
    session.page.locator("input[type=password]").fill(PASSWORD)
    session.page.get_by_role("button", name="Authenticate").click()
    expect(session.button("Add address")).to_be_visible(timeout=MS)
    expect(session.state(FIRST)).to_contain_text("routed", timeout=MS)
    assert followers(site) == 2
    session.close()
    wait_for(lambda: followers(site) == 1, "nobody follows the status for a window that is closed", 60)


def followers(site: Site) -> int:
    """How many processes tell a page the status: one for each window."""
    listed = site.host.run(["ps", "-e", "-o", "args"]).stdout.splitlines()
    return sum("nethook status --json --watch" in line and "python3" in line for line in listed)


def test_many_addresses_are_paged_and_found(site: Site, root: Session) -> None:
    lines = [f"198.18.{number // 250}.{number % 250 + 1} public\n" for number in range(MANY)]
    site.host.write(ROUTED, "".join(lines))
    site.host.run(["nethook", "apply"])
    table = root.ours.locator("#addresses")
    expect(root.verdict).to_contain_text(f"all {MANY + 1} lines", timeout=MS)
    expect(table.locator("tbody tr")).to_have_count(50)
    root.ours.get_by_role("textbox", name="Filter: Public addresses").fill("198.18.1.250")
    expect(table.locator("tbody tr")).to_have_count(1)
    picture(root, "many")


def test_the_browser_has_found_nothing_wrong(root: Session) -> None:
    assert root.faults == []


def test_with_the_oldest_cockpit(playwright: Playwright, tmp_path: Path) -> None:
    """Debian 12's Cockpit, which is of another PatternFly, and whose bridge is another program."""
    with booted(playwright, "bookworm", None, tmp_path) as site:
        session = Session(site.browser, site.host, "root", viewport={"width": 1280, "height": 900})
        session.button("Add address").click()
        session.field("address").fill(FIRST)
        session.field("network").select_option("public")
        session.button("Show the changes").click()
        expect(session.dialog()).to_contain_text(f"route {FIRST} → br-public", timeout=MS)
        session.button("Add and apply").click()
        expect(session.state(FIRST)).to_contain_text("routed", timeout=MS)
        assert site.answers(FIRST) == "web1"
        picture(session, "bookworm")
        assert session.faults == []
        session.close()
