"""A browser outside: Debian's Chromium, driven by Playwright, as somebody who administers a host by Cockpit has it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, FrameLocator, Locator, Page, Playwright

    from lab.hosts.lab import Lab
    from lab.hosts.systemd_host import SystemdHost

CHROMIUM = "/usr/bin/chromium"
# It is root's, in a namespace without a way to the makers of browsers.
OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
MS = 120_000
"""How long anything may take. Machines are busy."""
PASSWORD = "nethook-of-the-lab"  # noqa: S105
PORT = 9090
SERIOUS = {"serious", "critical"}


def accounts(host: SystemdHost) -> None:
    """Let root, `admin` (who may become root) and `plain` log in at Cockpit, and start it."""
    script = f"""
    useradd --create-home --shell /bin/bash --groups sudo admin
    useradd --create-home --shell /bin/bash plain
    for user in root admin plain; do echo "$user:{PASSWORD}"; done | chpasswd
    : >/etc/cockpit/disallowed-users
    systemctl start cockpit.socket
    """
    host.run(["sh", "-ec", script])


@contextmanager
def chromium(playwright: Playwright, lab: Lab, folder: Path) -> Iterator[Browser]:
    """Start Chromium in the outside of the lab. The folder gets a script."""
    script = folder / "chromium"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, lab.wan.namespace.command([CHROMIUM])))} "$@"\n')
    script.chmod(0o755)
    browser = playwright.chromium.launch(executable_path=script, args=OPTIONS, timeout=MS)
    try:
        yield browser
    finally:
        browser.close()


class Session:
    """Somebody who has logged in at a host and looks at our page.

    ``faults`` are what the browser has found wrong with it, such as what its Content-Security-Policy refuses.
    """

    def __init__(self, browser: Browser, host: SystemdHost, user: str, **options: Any) -> None:
        self._context = browser.new_context(ignore_https_errors=True, **options)
        self._context.grant_permissions(["clipboard-read", "clipboard-write"])
        self._context.set_default_timeout(MS)
        self.page: Page = self._context.new_page()
        self.faults: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(f"https://{host.place.ipv4}:{PORT}/nethook")
        self.page.fill("#login-user-input", user)
        self.page.fill("#login-password-input", PASSWORD)
        self.page.click("#login-button")
        self.verdict.wait_for()

    def _said(self, message: ConsoleMessage) -> None:
        """Keep what is wrong with our page, or with anything that a policy refuses; the shell has faults of its own."""
        at = message.location["url"]
        if message.type == "error" and ("/nethook/" in at or "Content Security Policy" in message.text):
            self.faults.append(f"{at}: {message.text}")

    def close(self) -> None:
        """Close the window."""
        self._context.close()

    @property
    def ours(self) -> FrameLocator:
        """Our page, in the frame that Cockpit has made for it."""
        return self.page.frame_locator("iframe[name$='/nethook']")

    @property
    def verdict(self) -> Locator:
        """The sentence at the top."""
        return self.ours.locator("#verdict")

    def button(self, name: str) -> Locator:
        return self.ours.get_by_role("button", name=name, exact=True)

    def field(self, name: str) -> Locator:
        """The field with this identifier in the open dialog."""
        return self.ours.locator(f"#{name}")

    def row(self, text: str) -> Locator:
        """The row of a table that has this text. A dialog above hides it from people, and not from here."""
        return self.ours.locator("tr", has_text=text)

    def state(self, text: str) -> Locator:
        """The state of the line with this text, and why."""
        return self.row(text).locator(".nethook-state")

    def act(self, about: str, action: str) -> None:
        """Choose an action of a row."""
        self.button(f"Actions of {about}").click()
        self.ours.get_by_role("menuitem", name=action, exact=True).click()

    def dialog(self) -> Locator:
        return self.ours.get_by_role("dialog")

    def close_dialog(self) -> None:
        self.page.keyboard.press("Escape")
        self.dialog().wait_for(state="detached")

    def picture(self, path: Path) -> None:
        """Take a screenshot of the window."""
        path.parent.mkdir(exist_ok=True)
        self.page.screenshot(path=path, animations="disabled")

    def faults_of_access(self, axe: str) -> list[str]:
        """Return the serious faults that axe-core finds in our page as it is now, one a line."""
        body = self.ours.locator("body")
        body.evaluate(axe)
        found = body.evaluate("() => axe.run(document)")
        return [
            f"{each['id']}: {node['html']}: {node['failureSummary']}"
            for each in found["violations"]
            if each["impact"] in SERIOUS
            for node in each["nodes"]
        ]
