"""What ``nethook`` understands: its verbs and options, and their help. tools/completions.py makes completions from it.

The code of a verb is in the module of its name below ``commands``, and is imported only when the verb runs.
"""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from textwrap import fill

from nethook import __version__
from nethook.config import ROUTED_IPS_FILES
from nethook.config.files import place_for_lines
from nethook.guest_config import DEFAULT_FORMAT, FORMATS

WIDTH = 79
"""Help is laid out for the narrowest terminal that is usual."""

DESCRIPTION = """\
Routes extra public IP addresses of this host to the guests of its libvirt
networks.

Which address goes to which network is in a file with a line for each, see
routed-ips(5). A hook that libvirt runs keeps it in force. These commands are
for looking, for changing it at once, and for setting up."""

EPILOG = """\
example, from a line to an address that answers:
  echo '203.0.113.10  public' >> {file}
  nethook check     # is the line right?
  nethook plan      # what would change?
  nethook apply     # change it
  nethook status    # is it routed?

`nethook VERB --help` tells more of a verb, `man nethook` all."""


def build_parser() -> ArgumentParser:
    """The parser. What it makes of a command line has ``verb``, ``debug``, and what the verb takes."""
    parser = ArgumentParser(
        "nethook",
        description=DESCRIPTION,
        epilog=EPILOG.format(file=place_for_lines(ROUTED_IPS_FILES)),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nethook {__version__}", help="show the version")
    parser.add_argument("--debug", action="store_true", help="show where in the program an error came from")
    _Verbs(parser).add_all()
    return parser


class _Verbs:
    def __init__(self, parser: ArgumentParser) -> None:
        self._verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")

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
            "look for mistakes in the files",
            "Reads the configuration and shows every mistake with its line and what to write instead. Where libvirt "
            "runs, it also looks whether the networks exist and whether an address is in use otherwise.",
            "nethook check\n  nethook check /tmp/routed-ips.new",
            "0 nothing is wrong, 1 there are mistakes, 2 the files could not be read",
        )
        verb.add_argument("files", nargs="*", metavar="FILE", help="files of routed IPs; default: those in use")

    def _plan(self) -> None:
        verb = self._add(
            "plan",
            "show what apply would change",
            "Compares the files and libvirt's networks with what is in the kernel, and shows each difference. Changes "
            "nothing. What --commands prints is to read, or to try a part of: only apply also notes what it has turned "
            "on, so that clear can turn it off again, and announces addresses to the network.",
            "nethook plan\n  nethook plan --commands public",
            "0 there is nothing to do, 1 there are changes, 2 it could not be found out",
        )
        self._add_networks(verb, "compare")
        shape = verb.add_mutually_exclusive_group()
        shape.add_argument("--json", action="store_true", help="as JSON, for programs")
        shape.add_argument("--commands", action="store_true", help="as the commands that apply would run, to read")
        self._add_keep_going(verb)

    def _apply(self) -> None:
        verb = self._add(
            "apply",
            "change what plan shows",
            "Puts in force what the files say: new lines, removed and moved ones, networks that started or stopped "
            "unseen, and what somebody broke. What is right already is not touched, and running connections go on.",
            "nethook apply\n  nethook apply public",
            "0 done, or nothing to do; 1 a line is wrong or names a network or guest that does not exist, something "
            "could not be changed, or addresses of a file that is not read stay in force; "
            "2 it could not be found out what to change, as with a mistake in nethook.conf",
        )
        self._add_networks(verb, "change")
        self._add_keep_going(verb)
        what = "withdraw addresses that only a file has which is not read, because another file comes before it"
        verb.add_argument("--yes", action="store_true", help=what)

    def _status(self) -> None:
        verb = self._add(
            "status",
            "show which addresses are routed",
            "Shows for each line whether its address is routed, and if not, why; what was sent to it and from it; the "
            "gates in other firewalls; and what is in the kernel without a line.",
            "nethook status\n  nethook status 203.0.113.10 --json\n  nethook status --watch",
            "0 all is as the files say, 1 something is not, 2 it could not be found out, as without root",
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
            "Walks the way of a packet to each address, station by station: files, libvirt, hook, network, routes, "
            "kernel settings, every firewall, and whether the guest answers. Names what is wrong, the cause first, "
            "and the command or line that mends it. Changes nothing.",
            "nethook doctor\n  nethook doctor 203.0.113.10\n  nethook doctor --json",
            "0 no failures, 1 there are failures, 2 it could not be looked at",
        )
        verb.add_argument(
            "addresses", nargs="*", metavar="ADDRESS", help="addresses or prefixes to look at; default: all lines"
        )
        shape = verb.add_mutually_exclusive_group()
        shape.add_argument("--json", action="store_true", help="as JSON, for programs")
        shape.add_argument("-v", "--verbose", action="store_true", help="also show what is fine")

    def _guest_config(self) -> None:
        verb = self._add(
            "guest-config",
            "print the configuration for inside a guest",
            "Prints what a guest has to be told to use its routed addresses, in the words of its system: ready to "
            "paste. A prefix of up to 16 addresses is configured whole; of a larger one, the guest gets one address. "
            "A guest alone stands for the lines with guest=; beside addresses, it is the one that gets them, and the "
            "NIC is told by its MAC address.",
            "nethook guest-config 203.0.113.10 2001:db8:7::10\n"
            "  nethook guest-config 203.0.113.16/29 web1 --format networkmanager\n"
            "  nethook guest-config 203.0.113.10 --private dhcp --interface eth0",
            "0 printed, 2 it is not known what to print",
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
            help="also the private address of the network: as it gives it, or this one",
        )
        verb.add_argument(
            "--dns", action="append", default=[], metavar="ADDRESS", help="a DNS server; default: those of the host"
        )

    def _clear(self) -> None:
        verb = self._add(
            "clear",
            "remove everything of ours from the kernel",
            "Removes our routes, our nftables table and our rules in other firewalls, and nothing else. Files and hook "
            "stay, so the next event of a network brings its addresses back: `nethook uninstall` first.",
            "nethook clear --yes",
            "0 done, or nothing was there; 1 not confirmed, or something could not be removed; 2 it could not be "
            "found out what is there",
        )
        verb.add_argument("--yes", action="store_true", help="do not ask")

    def _install(self) -> None:
        verb = self._add(
            "install",
            "have libvirt and systemd run this program",
            "Writes the hook for this very installation to where libvirt looks for it, after checking that it can run "
            "there without keeping a network from starting; has libvirt look for it; and enables nethook.service, "
            "which applies the files at boot. Never overwrites a hook of somebody else.",
            "nethook install --dry-run\n  nethook install\n  nethook install --enable-forwarding",
            "0 done, or it was there already; 1 refused; 2 it could not be found out whether it would be safe",
        )
        verb.add_argument(
            "--enable-forwarding",
            action="store_true",
            help="also have the kernel forward IPv4 and IPv6, now and after each boot",
        )
        verb.add_argument("--dry-run", action="store_true", help="only say what would be done")
        verb.add_argument("--yes", action="store_true", help="replace the link of release 0.6 without asking")

    def _uninstall(self) -> None:
        verb = self._add(
            "uninstall",
            "undo install",
            "Removes the hook and the units that `nethook install` wrote. What is in the kernel stays in force until "
            "`nethook clear`, files stay.",
            "nethook uninstall",
            "0 done, or nothing was there; 1 something could not be removed",
        )
        verb.add_argument("--dry-run", action="store_true", help="only say what would be done")

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
        what = f"{verb} only what concerns these libvirt networks; default: everything"
        parser.add_argument("networks", nargs="*", metavar="NETWORK", help=what)

    def _add_keep_going(self, parser: ArgumentParser) -> None:
        what = "despite mistakes in the files: take the lines that are right, leave what the others are about as it is"
        parser.add_argument("--keep-going", action="store_true", help=what)
