"""The command line of ``nethook``: its verbs and options, and their help. tools/completions.py makes completions of it.

The code of a verb is in the module of its name in ``commands``, and is imported only when the verb runs.
"""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from textwrap import fill
from typing import TYPE_CHECKING

from nethook import __version__
from nethook.config import ROUTED_IPS_FILES
from nethook.config.files import file_for_lines
from nethook.config.listening import LAST_PORT
from nethook.editing.draft import KINDS, ROUTED_IPS
from nethook.guest_config import DEFAULT_FORMAT, FORMATS, JSON, SYSTEMS
from nethook.host import Host
from nethook.routing_daemons import DAEMONS

if TYPE_CHECKING:
    from argparse import _MutuallyExclusiveGroup

MOST_ASN = (1 << 32) - 2
"""The greatest AS number that may be used: RFC 7300."""
MOST_SECONDS = 3600
"""A trace ends by itself, so that nobody can forget it."""
STATES = ("routed", "forwarded", "waiting", "blocked", "not-applied", "unknown")
"""The states of lines, as words of a command line."""
IF_DRY = "with --dry-run, 0 if nothing would change, 1 if something would, 2 if it would be refused"
WIDTH = 79
"""The width of help texts: that of the narrowest usual terminal."""

DESCRIPTION = """\
Routes extra public IP addresses of this host to the guests of its libvirt
networks, and forwards ports to them.

A file has a line for each address and its network: routed-ips(5). Another one
has a line for ports or an address that are forwarded to a guest:
forwarded-ports(5). libvirt runs a hook that keeps these lines in force. The
verbs below check, change and explain them."""

EPILOG = """\
example, from nothing to an address that answers:
  nethook add 203.0.113.10 public   # checks, shows the plan, asks, applies
  nethook status                    # is it routed?

the same by hand:
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


def _port(text: str) -> int:
    """Return a port; ArgumentTypeError, with what it should be, if it is none."""
    return _whole(text, LAST_PORT)


def _asn(text: str) -> int:
    return _whole(text, MOST_ASN)


def _count(text: str) -> int:
    return _whole(text, 1000)


def _whole(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise ArgumentTypeError(f"write a number from 1 to {most}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MOST_SECONDS:
        raise ArgumentTypeError(f"write a number of seconds, at most {MOST_SECONDS}")
    return seconds


class _Verbs:
    def __init__(self, parser: ArgumentParser) -> None:
        self._verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")

    def add_all(self) -> None:
        self._check()
        self._plan()
        self._apply()
        self._add_line()
        self._remove_line()
        self._edit()
        self._watch()
        self._status()
        self._wait()
        self._metrics()
        self._doctor()
        self._trace()
        self._guest_config()
        self._networks()
        self._routing_daemon()
        self._import()
        self._reserve()
        self._restart_network()
        self._clear()
        self._install()
        self._uninstall()

    def _check(self) -> None:
        verb = self._add(
            "check",
            "find mistakes in the files",
            "Reads the configuration and shows every mistake with its line and what to write instead. If libvirt "
            "runs, it also checks that the networks exist and that nothing else uses an address. A FILE stands in for "
            "the one in use that has its name and kind, and is compared with the others.",
            "nethook check\n  nethook check /tmp/forwarded-ports.new\n"
            "  nethook check --as /etc/nethook/routed-ips.d/web.conf /tmp/web.conf",
            "0 no mistakes, 1 there are mistakes, 2 the files could not be read",
        )
        verb.add_argument(
            "files",
            nargs="*",
            metavar="FILE",
            help="files of either kind, which their names tell; default: those in use",
        )
        what = "check FILE as if it were this file, together with the others that are in use"
        verb.add_argument("--as", dest="place", metavar="PATH", help=what)
        verb.add_argument("--json", action="store_true", help="as JSON, for programs")

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
            "repairs. What is already right is not touched, and running connections go on. The last line of the output "
            "says how many lines are routed or forwarded now.",
            "nethook apply\n  nethook apply --verbose public",
            "0 done, or nothing to do; 1 a line is wrong or names a network or guest that does not exist, something "
            "could not be changed, or addresses of an ignored file stay in force; "
            "2 nothing was changed, because something could not be read or nethook.conf has a mistake",
        )
        self._add_networks(verb, "change")
        self._add_keep_going(verb)
        what = "withdraw addresses of a file that is ignored because another file comes first"
        verb.add_argument("--yes", action="store_true", help=what)
        what = "also put forwarded ports in force that may lock you out, such as the one by which you are connected"
        verb.add_argument("--force", action="store_true", help=what)
        shape = verb.add_mutually_exclusive_group()
        shape.add_argument("-v", "--verbose", action="store_true", help="list each change, as plan does")
        shape.add_argument("--json", action="store_true", help="print what was changed as JSON, for programs")

    def _add_line(self) -> None:
        verb = self._add(
            "add",
            "add a line, and apply it",
            "Adds a line to routed-ips, or to forwarded-ports if the address has ports. Checks it first, shows what "
            "would change, and asks. The words are those of the line; names with spaces need the quotes of the shell "
            "only. A line that is there already is not added again.",
            "nethook add 203.0.113.10 public\n"
            "  nethook add 203.0.113.10 public guest=web1 --yes\n"
            "  nethook add 203.0.113.1:80,443 default guest=web1\n"
            "  nethook add --forward 203.0.113.5 default guest=mail\n"
            "  nethook add 203.0.113.10 public guest=web2 --replace 203.0.113.10",
            "0 added and in force, or already there; 1 not written, because something is wrong or the answer is no, "
            f"or written and not in force; 2 not written, because something could not be read; {IF_DRY}",
        )
        verb.add_argument("address", metavar="ADDRESS", help="an address or prefix, or an address with ports")
        verb.add_argument("network", metavar="NETWORK", help="a network of libvirt")
        verb.add_argument("options", nargs="*", metavar="OPTION", help="options of the line, such as guest=web1")
        what = "forward the address as a whole: the line is for forwarded-ports"
        verb.add_argument("--forward", action="store_true", help=what)
        what = "put it where the line is that names exactly WORD; may be repeated, with other words of that line"
        verb.add_argument("--replace", action="append", default=[], metavar="WORD", help=what)
        self._add_ways_to_change(verb)

    def _remove_line(self) -> None:
        verb = self._add(
            "remove",
            "remove a line, and apply that",
            "Removes the line that names exactly this address, prefix, or address with ports, from the file that has "
            "it. Shows what would change, and asks. If the address is only a part of a line, it says which line, and "
            "what to write instead.",
            "nethook remove 203.0.113.10\n"
            "  nethook remove 203.0.113.1:80,443 --yes\n"
            "  nethook remove 203.0.113.1:22 from=198.51.100.0/24",
            "0 removed and no longer in force, or no line names it; 1 not written, because something is wrong or the "
            "answer is no, or written and not all of it applied; 2 not written, because ADDRESS is wrong and no line "
            f"begins with it, or something could not be read; {IF_DRY}",
        )
        verb.add_argument("address", metavar="ADDRESS", help="what the line begins with")
        what = "words that the line has as well, to choose one of several lines"
        verb.add_argument("words", nargs="*", metavar="WORD", help=what)
        self._add_ways_to_change(verb)

    def _edit(self) -> None:
        verb = self._add(
            "edit",
            "edit a file, and apply it",
            "Opens a copy of the file in your editor: VISUAL, EDITOR, or the usual one of the system. Then it checks "
            "the copy. If something is wrong, it asks whether to edit it again, to keep it, or to discard it. If all "
            "is right, it shows what would change, and asks.",
            "nethook edit\n  nethook edit forwarded-ports\n  EDITOR=nano nethook edit",
            "0 written and applied, or not changed; 1 discarded, or not all of it applied; 2 nothing was written, "
            "because the editor failed or something could not be read",
        )
        verb.add_argument(
            "file",
            nargs="?",
            choices=list(KINDS),
            default=ROUTED_IPS.name,
            metavar="routed-ips|forwarded-ports",
            help=f"the file; default: {ROUTED_IPS.name}",
        )
        self._add_yes_and_no_apply(verb)

    def _watch(self) -> None:
        verb = self._add(
            "watch",
            "keep the files in force, as a service does",
            "Applies the files, and then stays: it hears what other programs change in the kernel, and puts right at "
            "once what is in force. Changed files are applied with `nethook apply`, or automatically with "
            "auto-apply = yes in nethook.conf(5). Logs to stderr. SIGHUP applies the files; SIGTERM ends it and "
            "changes nothing. To see live what is routed, run `nethook status --watch`.",
            "nethook watch\n  nethook watch --once",
            "0 ended by a signal, or everything is in force after --once; 1 something could not be put in force",
        )
        verb.add_argument("--once", action="store_true", help="apply the files and end")

    def _status(self) -> None:
        verb = self._add(
            "status",
            "show which addresses are routed, and which ports are forwarded",
            "Shows for each line whether its address is routed or its ports are forwarded, and if not, why; the "
            "traffic; the gates in other firewalls; and objects in the kernel that have no line. The first sentence "
            "says it all, and lines with a problem come first. Text that does not fit the terminal is shown by PAGER, "
            "or less.",
            "nethook status\n  nethook status 203.0.113.10 --json\n  nethook status --network public --state blocked\n"
            "  nethook status --watch",
            "0 all lines are in force or wait, 1 some are not, 2 unknown, as without root",
        )
        what = "addresses, prefixes or ADDRESS:PORT to show; default: all lines"
        verb.add_argument("addresses", nargs="*", metavar="ADDRESS", help=what)
        what = "only lines of this libvirt network; may be repeated"
        verb.add_argument("--network", action="append", default=[], metavar="NETWORK", help=what)
        what = "only lines with this guest=; may be repeated"
        verb.add_argument("--guest", action="append", default=[], metavar="GUEST", help=what)
        what = f"list only lines in this state; may be repeated: {', '.join(STATES)}"
        verb.add_argument("--state", action="append", default=[], choices=STATES, metavar="STATE", help=what)
        what = "exit status 1 also for lines that wait, unless their network or guest is off and has no autostart"
        verb.add_argument("--strict", action="store_true", help=what)
        verb.add_argument("--no-pager", action="store_true", help="print everything at once")
        what = "as JSON, for programs; with --watch, one line of it every 2 s"
        verb.add_argument("--json", action="store_true", help=what)
        verb.add_argument("--watch", action="store_true", help="live, with rates, until q or Ctrl-C")

    def _wait(self) -> None:
        verb = self._add(
            "wait",
            "wait until addresses are routed",
            "Returns as soon as the lines of all these addresses are routed or forwarded, as status tells it. For "
            "scripts that have just started a guest or a host.",
            "nethook wait 203.0.113.10\n  nethook wait --seconds 120 203.0.113.10 203.0.113.1:443",
            "0 all are; 1 the time is over, and standard error has what is missing; 2 no line names an address, or "
            "something could not be read",
        )
        verb.add_argument("addresses", nargs="+", metavar="ADDRESS", help="addresses, prefixes, or ADDRESS:PORT")
        verb.add_argument(
            "--seconds", type=float, default=60.0, metavar="N", help="how long to wait at most; default: 60"
        )

    def _metrics(self) -> None:
        verb = self._add(
            "metrics",
            "print metrics for Prometheus",
            "Prints what status shows, and what has been changed since the host started, in the text format of "
            "Prometheus. If libvirt or the kernel cannot be read, the metrics say so, and those that are known are "
            "printed all the same.",
            "nethook metrics\n  nethook metrics --write",
            "0 all lines are in force, 1 some are not, 2 something could not be read, as without root, or the file "
            "could not be written",
        )
        what = "write them to the file that metrics-file in nethook.conf names, for node_exporter"
        verb.add_argument("--write", action="store_true", help=what)

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
            "addresses",
            nargs="*",
            metavar="ADDRESS",
            help="addresses, prefixes or ADDRESS:PORT to examine; default: all lines",
        )
        what = "also try one address with real packets: one of this host to the guest, and what comes in 10 s"
        verb.add_argument("--probe", action="store_true", help=what)
        shape = verb.add_mutually_exclusive_group()
        shape.add_argument("--json", action="store_true", help="as JSON, for programs")
        shape.add_argument("-v", "--verbose", action="store_true", help="also show stations without a problem")

    def _trace(self) -> None:
        verb = self._add(
            "trace",
            "follow real packets of an address through the kernel",
            "Shows what the kernel does with packets to and from an address while they come: each chain of nftables "
            "and iptables that they pass, with the rule that decides, the route, and what NAT changes. Of each packet, "
            "it says first where its way ends, and why. Shows one packet of each flow. Changes no packet, and leaves "
            "nothing behind.",
            "nethook trace 203.0.113.10\n"
            "  nethook trace 203.0.113.1:443 --to-guest --count 1\n"
            "  nethook trace 203.0.113.10 --probe --seconds 3 --json",
            "0 packets came, and all that are shown got where they should; 1 one did not, or none came; 2 nothing was "
            "traced, because something is wrong or could not be read",
        )
        what = "an address within a line, or a forwarded ADDRESS:PORT"
        verb.add_argument("address", metavar="ADDRESS", help=what)
        verb.add_argument("--to-guest", action="store_true", help="only packets to the guest")
        verb.add_argument("--from-guest", action="store_true", help="only packets from the guest")
        what = "only TCP and UDP packets of this port of the guest"
        verb.add_argument("--port", type=_port, metavar="PORT", help=what)
        what = "only packets from this address outside, or to it, as on a busy host"
        verb.add_argument("--peer", default="", metavar="ADDRESS", help=what)
        what = "end after so many packets were shown; default: 10"
        verb.add_argument("--count", type=_count, default=10, metavar="N", help=what)
        what = "end after so many seconds; default: 30"
        verb.add_argument("--seconds", type=_seconds, default=30.0, metavar="S", help=what)
        what = "send a packet from this host to the guest, and nowhere else: a ping, or a connection to its port"
        verb.add_argument("--probe", action="store_true", help=what)
        verb.add_argument("--json", action="store_true", help="as JSON at the end, for programs")

    def _guest_config(self) -> None:
        verb = self._add(
            "guest-config",
            "print the network configuration for a guest",
            "Prints the configuration that a guest needs to use its routed addresses, in the format of its system and "
            "ready to paste. A prefix of up to 16 addresses is configured as a whole; of a larger one, the guest gets "
            "one address. The name of a guest stands for its lines with guest=. Together with addresses, it names the "
            "guest that gets them, whose NIC is then found by its MAC address.",
            "nethook guest-config 203.0.113.10 2001:db8:7::10\n"
            "  nethook guest-config 203.0.113.16/29 web1 --format fedora\n"
            "  nethook guest-config 203.0.113.10 --private dhcp --interface eth0",
            "0 printed, 2 not printed, because something is wrong or unknown",
        )
        verb.add_argument(
            "wanted", nargs="+", metavar="ADDRESS|GUEST", help="routed addresses or prefixes, and a guest's name"
        )
        verb.add_argument(
            "--format",
            choices=[*FORMATS, *SYSTEMS, JSON],
            default=DEFAULT_FORMAT,
            metavar="FORMAT",
            help=f"one of {', '.join(FORMATS)}; the guest's system: {', '.join(SYSTEMS)}; or {JSON}, with all "
            f"formats, for programs; default: {DEFAULT_FORMAT}",
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

    def _networks(self) -> None:
        verb = self._add(
            "networks",
            "list what lines can name: networks, guests, uplinks",
            "Lists libvirt's networks, each with its forward mode, its bridge, its subnets and the guests that have a "
            "NIC there. For a network to which nothing can be routed, it says why.",
            "nethook networks\n  nethook networks --json",
            "0 listed, 2 libvirt or the kernel could not be read",
        )
        what = "as JSON, for programs; also with guests, and devices and addresses of this host"
        verb.add_argument("--json", action="store_true", help=what)

    def _routing_daemon(self) -> None:
        verb = self._add(
            "routing-daemon",
            "print a configuration for BIRD or FRR, which announces the addresses",
            "Prints what a routing daemon needs to announce the addresses and prefixes of routed-ips while this host "
            "has them: a filter with exactly these prefixes, for each family, and with --asn and --neighbor the BGP "
            "sessions. Only prints: write it to a file, and make the daemon read that. Print it again after you add "
            "or remove lines. Addresses with proxy= are left out, because the host itself answers for them.",
            "nethook routing-daemon bird --asn 65001 --neighbor 198.51.100.1\n"
            "  nethook routing-daemon frr --asn 65001 --neighbor 198.51.100.1=65000 --bfd\n"
            "  nethook routing-daemon bird > /etc/bird/nethook.conf",
            "0 printed; 2 not printed, because something is wrong or unknown",
        )
        verb.add_argument(
            "daemon", choices=DAEMONS, metavar="|".join(DAEMONS), help="the routing daemon: BIRD 2 or FRR"
        )
        verb.add_argument("--asn", type=_asn, metavar="N", help="the AS number of this host, for BGP")
        what = "a router for a BGP session, with its AS number if it matters; may be repeated"
        verb.add_argument("--neighbor", action="append", default=[], metavar="ADDRESS[=N]", help=what)
        what = "notice within a second that a neighbor is gone, if it does BFD as well"
        verb.add_argument("--bfd", action="store_true", help=what)

    def _import(self) -> None:
        verb = self._add(
            "import",
            "make lines from the files of other port forwarders",
            "Reads hooks.json of libvirt-hook-qemu, mapping.json of libvirt-hook-nftables, scripts with addForward "
            "lines of kvm-scripts, and the output of `incus network forward show`. Prints lines of forwarded-ports(5) "
            "for review, with a comment for everything that is different or cannot be taken over. The network of a "
            "line is the one whose subnet has the guest's address.",
            "nethook import /etc/libvirt/hooks/hooks.json\n"
            "  nethook import --write /etc/libvirt/hooks/hooks.json\n"
            "  incus network forward show incusbr0 203.0.113.5 | nethook import -",
            "0 everything was taken over; 1 something was not, or nothing was written; 2 a file could not be read or "
            "understood",
        )
        verb.add_argument("files", nargs="+", metavar="FILE", help="files of other programs; - for standard input")
        what = "append the lines to the file forwarded-ports, which is made if it does not exist"
        verb.add_argument("--write", action="store_true", help=what)

    def _reserve(self) -> None:
        verb = self._add(
            "reserve",
            "have a network keep an address for a guest",
            "Adds a DHCP reservation for the guest's NIC to a network, or changes it, in the running network and in "
            "its definition. Shows the reservation and a virsh command that does the same, and asks. Without an "
            "address, it takes the one that the guest has now, or else a free one that the network gives to nobody.",
            "nethook reserve web1 default\n  nethook reserve web1 default 192.168.122.23 --yes",
            f"0 reserved, 1 not confirmed, 2 nothing was changed, because something is wrong or unknown; {IF_DRY}",
        )
        verb.add_argument("guest", metavar="GUEST", help="the name of a guest")
        verb.add_argument("network", metavar="NETWORK", help="a network of libvirt that the guest has a NIC on")
        verb.add_argument("address", nargs="?", metavar="ADDRESS", help="an address in a subnet of the network")
        verb.add_argument("--mac", metavar="MAC", help="the NIC, if the guest has several on the network")
        shape = verb.add_mutually_exclusive_group()
        shape.add_argument("--yes", action="store_true", help="do not ask")
        shape.add_argument("--dry-run", action="store_true", help="only show the reservation")

    def _restart_network(self) -> None:
        verb = self._add(
            "restart-network",
            "restart a network under its running guests",
            "Shows whether the network needs a restart to run as it is defined, or the commands that change it while "
            "it runs. Then it shows which running guests a restart interrupts, and asks. After a yes, it stops and "
            "starts the network, and makes libvirt plug the guests in again. The guests go on running.",
            "nethook restart-network default --dry-run\n  nethook restart-network default --yes",
            "0 done; 1 not confirmed, or a step failed; 2 nothing was changed, because something could not be read; "
            "with --dry-run, 0 if it needs no restart, and 1 if it needs one",
        )
        verb.add_argument("network", metavar="NETWORK", help="a network of libvirt")
        shape = verb.add_mutually_exclusive_group()
        shape.add_argument("--yes", action="store_true", help="do not ask")
        what = "only show what it is needed for, and whom it interrupts"
        shape.add_argument("--dry-run", action="store_true", help=what)

    def _clear(self) -> None:
        verb = self._add(
            "clear",
            "remove everything of nethook from the kernel",
            "Removes the routes, the nftables tables and the rules in other firewalls that nethook has added, and "
            "nothing else. Files and hook stay, so the next event of a network puts its lines in force again, unless "
            "you run `nethook uninstall` first.",
            "nethook clear --dry-run\n  nethook clear --yes",
            "0 done, or nothing to remove; 1 not confirmed, or something could not be removed; 2 nothing was changed, "
            f"because something could not be read; {IF_DRY}",
        )
        verb.add_argument("--yes", action="store_true", help="do not ask")
        verb.add_argument("--dry-run", action="store_true", help="only show what would be removed")

    def _install(self) -> None:
        verb = self._add(
            "install",
            "make libvirt and systemd run this program",
            "Writes the hook of this installation where libvirt looks for it, after a check that it cannot keep a "
            "network from starting; makes libvirt look for it; and enables nethook.service, which applies the files "
            "at boot and then keeps them in force. Never overwrites a foreign hook.",
            "nethook install --dry-run\n  nethook install\n  nethook install --enable-forwarding",
            "0 done, or nothing to do; 1 refused, or something failed; 2 nothing was changed, because it is unknown "
            f"whether that is safe; {IF_DRY}",
        )
        verb.add_argument(
            "--enable-forwarding",
            action="store_true",
            help="also make the kernel forward IPv4 and IPv6, now and after each boot",
        )
        verb.add_argument("--dry-run", action="store_true", help="only print what would be done")
        what = "print what was changed, or would be, as JSON, for programs"
        verb.add_argument("--json", action="store_true", help=what)
        verb.add_argument("--yes", action="store_true", help="replace the link of release 0.6 without asking")

    def _uninstall(self) -> None:
        verb = self._add(
            "uninstall",
            "undo install",
            "Removes the hook and the unit that `nethook install` wrote. Addresses stay routed, and ports forwarded, "
            "until `nethook clear`. Your files stay.",
            "nethook uninstall",
            f"0 done, or nothing to remove; 1 something could not be removed; {IF_DRY}",
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

    def _add_yes_and_no_apply(self, parser: ArgumentParser) -> _MutuallyExclusiveGroup:
        shape = parser.add_mutually_exclusive_group()
        shape.add_argument("--yes", action="store_true", help="write and apply it without a question")
        what = "write it without a question, and do not apply it"
        shape.add_argument("--no-apply", action="store_true", help=what)
        return shape

    def _add_ways_to_change(self, parser: ArgumentParser) -> None:
        shape = self._add_yes_and_no_apply(parser)
        shape.add_argument("--dry-run", action="store_true", help="only show the line, and what it would change")
        what = "as JSON, for programs; needs --yes, --no-apply or --dry-run"
        parser.add_argument("--json", action="store_true", help=what)

    def _add_networks(self, parser: ArgumentParser, verb: str) -> None:
        what = f"{verb} only these libvirt networks; default: everything"
        parser.add_argument("networks", nargs="*", metavar="NETWORK", help=what)

    def _add_keep_going(self, parser: ArgumentParser) -> None:
        what = "despite mistakes in the files: use the right lines, and leave the addresses of wrong lines as they are"
        parser.add_argument("--keep-going", action="store_true", help=what)
