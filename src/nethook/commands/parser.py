"""The command line of ``nethook``: its verbs and options, and their help. tools/completions.py makes completions of it.

The code of a verb is in the module of its name in ``commands``, and is imported only when the verb runs.
"""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from textwrap import fill

from nethook import __version__
from nethook.config import ROUTED_IPS_FILES
from nethook.config.files import file_for_lines
from nethook.guest_config import DEFAULT_FORMAT, FORMATS
from nethook.host import Host

WIDTH = 79
"""The width of help texts: that of the narrowest usual terminal."""

DESCRIPTION = """\
Routes extra public IP addresses of this host to the guests of its libvirt
networks.

A file has a line for each address and its network: routed-ips(5). libvirt runs
a hook that keeps these lines in force. The verbs below check, change and
explain them."""

EPILOG = """\
example, from a line to an address that answers:
  echo '203.0.113.10  public' >> {file}
  nethook check     # is the line right?
  nethook plan      # what would change?
  nethook apply     # change it
  nethook status    # is it routed?

`nethook VERB --help` explains a verb, `man nethook` explains everything."""


def build_parser() -> ArgumentParser:
    """Return the parser. Its result has ``verb`` (None without one), ``debug``, and the arguments of the verb."""
    parser = ArgumentParser(
        "nethook",
        description=DESCRIPTION,
        epilog=EPILOG.format(file=file_for_lines(Host(0), ROUTED_IPS_FILES)),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nethook {__version__}", help="show the version")
    parser.add_argument("--debug", action="store_true", help="show where in the program an error came from")
    _Verbs(parser).add_all()
    return parser


class _Verbs:
    def __init__(self, parser: ArgumentParser) -> None:
        self._verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")

    def add_all(self) -> None:
        self._check()
        self._plan()
        self._apply()
        self._status()
        self._doctor()
        self._guest_config()
        self._clear()
        self._install()
        self._uninstall()

    def _check(self) -> None:
        verb = self._add(
            "check",
            "find mistakes in the files",
            "Reads the configuration and shows every mistake with its line and what to write instead. If libvirt "
            "runs, it also checks that the networks exist and that nothing else uses an address.",
            "nethook check\n  nethook check /tmp/routed-ips.new",
            "0 no mistakes, 1 there are mistakes, 2 the files could not be read",
        )
        verb.add_argument("files", nargs="*", metavar="FILE", help="files of routed IPs; default: those in use")

    def _plan(self) -> None:
        verb = self._add(
            "plan",
            "show what apply would change",
            "Compares the files and libvirt's networks with the kernel, and shows each difference. Changes nothing. "
            "The output of --commands is for reading, or for trying a part of it: apply also records what it turns "
            "on, so that clear can turn it off again, and announces addresses to the network.",
            "nethook plan\n  nethook plan --commands public",
            "0 nothing to do, 1 there are changes, 2 unknown, because something could not be read",
        )
        self._add_networks(verb, "compare")
        shape = verb.add_mutually_exclusive_group()
        shape.add_argument("--json", action="store_true", help="as JSON, for programs")
        shape.add_argument("--commands", action="store_true", help="as the commands that apply would run")
        self._add_keep_going(verb)

    def _apply(self) -> None:
        verb = self._add(
            "apply",
            "make the changes that plan shows",
            "Puts the files in force: new, removed and moved lines, networks that started or stopped unseen, and "
            "repairs. What is already right is not touched, and running connections go on.",
            "nethook apply\n  nethook apply public",
            "0 done, or nothing to do; 1 a line is wrong or names a network or guest that does not exist, something "
            "could not be changed, or addresses of an ignored file stay in force; "
            "2 nothing was changed, because something could not be read or nethook.conf has a mistake",
        )
        self._add_networks(verb, "change")
        self._add_keep_going(verb)
        what = "withdraw addresses of a file that is ignored because another file comes first"
        verb.add_argument("--yes", action="store_true", help=what)

    def _status(self) -> None:
        verb = self._add(
            "status",
            "show which addresses are routed",
            "Shows for each line whether its address is routed, and if not, why; its traffic in both directions; the "
            "gates in other firewalls; and objects in the kernel that have no line.",
            "nethook status\n  nethook status 203.0.113.10 --json\n  nethook status --watch",
            "0 all lines are in force, 1 some are not, 2 unknown, as without root",
        )
        verb.add_argument(
            "addresses", nargs="*", metavar="ADDRESS", help="addresses or prefixes to show; default: all lines"
        )
        shape = verb.add_mutually_exclusive_group()
        shape.add_argument("--json", action="store_true", help="as JSON, for programs")
        shape.add_argument("--watch", action="store_true", help="live, with rates, until q or Ctrl-C")

    def _doctor(self) -> None:
        verb = self._add(
            "doctor",
            "find out why an address does not answer",
            "Follows the way of a packet to each address, station by station: files, libvirt, hook, network, routes, "
            "kernel settings, every firewall, and the guest. Names each problem, the cause first, and the command or "
            "line that repairs it. Changes nothing.",
            "nethook doctor\n  nethook doctor 203.0.113.10\n  nethook doctor --json",
            "0 no failures, 1 there are failures, 2 unknown, because something could not be read",
        )
        verb.add_argument(
            "addresses", nargs="*", metavar="ADDRESS", help="addresses or prefixes to examine; default: all lines"
        )
        shape = verb.add_mutually_exclusive_group()
        shape.add_argument("--json", action="store_true", help="as JSON, for programs")
        shape.add_argument("-v", "--verbose", action="store_true", help="also show stations without a problem")

    def _guest_config(self) -> None:
        verb = self._add(
            "guest-config",
            "print the network configuration for a guest",
            "Prints the configuration that a guest needs to use its routed addresses, in the format of its system and "
            "ready to paste. A prefix of up to 16 addresses is configured as a whole; of a larger one, the guest gets "
            "one address. The name of a guest stands for its lines with guest=. Together with addresses, it names the "
            "guest that gets them, whose NIC is then found by its MAC address.",
            "nethook guest-config 203.0.113.10 2001:db8:7::10\n"
            "  nethook guest-config 203.0.113.16/29 web1 --format networkmanager\n"
            "  nethook guest-config 203.0.113.10 --private dhcp --interface eth0",
            "0 printed, 2 not printed, because something is wrong or unknown",
        )
        verb.add_argument(
            "wanted", nargs="+", metavar="ADDRESS|GUEST", help="routed addresses or prefixes, and a guest's name"
        )
        verb.add_argument(
            "--format",
            choices=FORMATS,
            default=DEFAULT_FORMAT,
            metavar="FORMAT",
            help=f"one of {', '.join(FORMATS)}; default: {DEFAULT_FORMAT}",
        )
        verb.add_argument("--mac", metavar="MAC", help="the MAC address of the NIC")
        verb.add_argument("--interface", metavar="NAME", help="what the guest calls the NIC")
        verb.add_argument(
            "--private",
            action="append",
            default=[],
            metavar="dhcp|ADDRESS",
            help="also a private address of the network: by DHCP, or this one",
        )
        verb.add_argument(
            "--dns", action="append", default=[], metavar="ADDRESS", help="a DNS server; default: those of the host"
        )

    def _clear(self) -> None:
        verb = self._add(
            "clear",
            "remove everything of nethook from the kernel",
            "Removes the routes, the nftables tables and the rules in other firewalls that nethook has added, and "
            "nothing else. Files and hook stay, so the next event of a network routes its addresses again, unless you "
            "run `nethook uninstall` first.",
            "nethook clear --yes",
            "0 done, or nothing to remove; 1 not confirmed, or something could not be removed; 2 nothing was changed, "
            "because something could not be read",
        )
        verb.add_argument("--yes", action="store_true", help="do not ask")

    def _install(self) -> None:
        verb = self._add(
            "install",
            "make libvirt and systemd run this program",
            "Writes the hook of this installation where libvirt looks for it, after a check that it cannot keep a "
            "network from starting; makes libvirt look for it; and enables nethook.service, which applies the files "
            "at boot. Never overwrites a foreign hook.",
            "nethook install --dry-run\n  nethook install\n  nethook install --enable-forwarding",
            "0 done, or nothing to do; 1 refused, or something failed; 2 nothing was changed, because it is unknown "
            "whether that is safe",
        )
        verb.add_argument(
            "--enable-forwarding",
            action="store_true",
            help="also make the kernel forward IPv4 and IPv6, now and after each boot",
        )
        verb.add_argument("--dry-run", action="store_true", help="only print what would be done")
        verb.add_argument("--yes", action="store_true", help="replace the link of release 0.6 without asking")

    def _uninstall(self) -> None:
        verb = self._add(
            "uninstall",
            "undo install",
            "Removes the hook and the units that `nethook install` wrote. Addresses stay routed until `nethook clear`, "
            "and your files stay.",
            "nethook uninstall",
            "0 done, or nothing to remove; 1 something could not be removed",
        )
        verb.add_argument("--dry-run", action="store_true", help="only print what would be done")

    def _add(self, verb: str, summary: str, description: str, examples: str, statuses: str) -> ArgumentParser:
        parser: ArgumentParser = self._verbs.add_parser(
            verb,
            help=summary,
            description=fill(description, WIDTH),
            epilog=f"examples:\n  {examples}\n\n{fill('exit status: ' + statuses, WIDTH)}",
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        parser.add_argument("--debug", action="store_true", default=SUPPRESS, help="show where an error came from")
        return parser

    def _add_networks(self, parser: ArgumentParser, verb: str) -> None:
        what = f"{verb} only these libvirt networks; default: everything"
        parser.add_argument("networks", nargs="*", metavar="NETWORK", help=what)

    def _add_keep_going(self, parser: ArgumentParser) -> None:
        what = "despite mistakes in the files: use the right lines, and leave the addresses of wrong lines as they are"
        parser.add_argument("--keep-going", action="store_true", help=what)
