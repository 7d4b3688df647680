"""Writes the completions for bash, zsh and fish from the parser, with shtab: `make completions`.

They are static files in packaging/completions, so that a completion need not start Python. Addresses are what lines of
the files begin with. Names of networks and guests are those of virsh, which may have any characters: bash gets them
quoted, zsh and fish quote them themselves.
"""

from __future__ import annotations

import re
import sys
from argparse import Action, ArgumentParser, _SubParsersAction
from pathlib import Path

import shtab

from nethook.commands.parser import build_parser
from nethook.config import FORWARDED_PORTS_FILES, ROUTED_IPS_FILES, SETTINGS_FILE

FOLDER = Path(__file__).resolve().parents[1] / "packaging" / "completions"
FILES = {"nethook": "bash", "_nethook": "zsh", "nethook.fish": "fish"}
"""The shell of each file. A shell looks for a file of this name."""
ONE_FOR_ZSH, MANY_FOR_ZSH = re.compile(r'"\(\*\)::?'), '"*:'
"""shtab 1.13 writes repeated arguments like the first, and zsh completes only one of them; zsh needs the second."""
FILE = "FILE"
"""The metavar of arguments that are files."""
SET = f'$(sed -nE "s/^[[:blank:]]*(routed-ips|forwarded-ports)[[:blank:]]*=//p" {SETTINGS_FILE})'
SEARCHED = " ".join(f"{path} {path}.d/*.conf" for path in (*ROUTED_IPS_FILES, *FORWARDED_PORTS_FILES)) + f" {SET}"
ADDRESSES = f'grep -hosE "^[[:blank:]]*[][0-9A-Fa-f.:,/-]+(/?[tcpud,]+)?" {SEARCHED} | tr -d "[:blank:]"'
"""The script for sh that prints the addresses of all files. It has no single quotes, so each shell can quote it."""
VIRSH = "timeout 2 virsh --connect qemu:///system --readonly --quiet"
NETWORKS, GUESTS = f"{VIRSH} net-list --all --name", f"{VIRSH} list --all --name"
QUIETLY = "2>/dev/null </dev/null"

BASH = f"""\
_nethook_addresses() {{
  local address
  while IFS= read -r address; do
    [[ $address == "$1"* ]] && printf '%s\\n' "$address"
  done < <(sh -c '{ADDRESSES}' {QUIETLY})
}}

_nethook_quoted() {{
  local name quoted
  while IFS= read -r name; do
    [[ -n $name ]] || continue
    printf -v quoted %q "$name"
    [[ $quoted == "$1"* ]] && printf '%s\\n' "$quoted"
  done
}}

_nethook_networks() {{ _nethook_quoted "$1" < <({NETWORKS} {QUIETLY}); }}
_nethook_guests() {{ _nethook_quoted "$1" < <({GUESTS} {QUIETLY}); }}
_nethook_addresses_or_guests() {{ _nethook_addresses "$1"; _nethook_guests "$1"; }}"""

BASH_REGISTERS = "complete -o bashdefault -F _shtab_nethook nethook"
BASH_ENDS = """\
# bash ends a word at each colon, so the words of an IPv6 address are put together, and the answer is what is missing.
_nethook() {
  local -a words=()
  local word index cword=0 glues=
  for index in "${!COMP_WORDS[@]}"; do
    word="${COMP_WORDS[index]}"
    if [[ ( $word == +(:) || -n $glues ) && $index -gt 1 ]]; then
      words[${#words[@]}-1]+="$word"
    else
      words+=("$word")
    fi
    if [[ $word == +(:) ]]; then glues=yes; else glues=; fi
    if [[ $index -eq $COMP_CWORD ]]; then cword=$((${#words[@]} - 1)); fi
  done
  local -a COMP_WORDS=("${words[@]}")
  local COMP_CWORD=$cword
  _shtab_nethook
  word="${COMP_WORDS[COMP_CWORD]}"
  for index in "${!COMPREPLY[@]}"; do
    COMPREPLY[index]="${COMPREPLY[index]#"${word%"${word##*:}"}"}"
  done
}

complete -o bashdefault -F _nethook nethook"""

ZSH = f"""\
_nethook_addresses() {{
  local -a found=(${{(f)"$(sh -c '{ADDRESSES}' {QUIETLY})"}})
  compadd "$@" -a found
}}

_nethook_networks() {{
  local -a found=(${{(f)"$({NETWORKS} {QUIETLY})"}})
  compadd "$@" -a found
}}

_nethook_guests() {{
  local -a found=(${{(f)"$({GUESTS} {QUIETLY})"}})
  compadd "$@" -a found
}}

_nethook_addresses_or_guests() {{ _nethook_addresses "$@"; _nethook_guests "$@" }}"""

FISH = f"""\
function _nethook_addresses
  sh -c '{ADDRESSES}' {QUIETLY}
end

function _nethook_networks
  {NETWORKS} {QUIETLY}
end

function _nethook_guests
  {GUESTS} {QUIETLY}
end

function _nethook_addresses_or_guests
  _nethook_addresses
  _nethook_guests
end"""

PREAMBLES = {"bash": BASH, "zsh": ZSH, "fish": FISH}
FUNCTIONS = {
    "NETWORK": "_nethook_networks",
    "GUEST": "_nethook_guests",
    "ADDRESS": "_nethook_addresses",
    "ADDRESS|GUEST": "_nethook_addresses_or_guests",
}
"""What completes an argument, by its metavar."""
ANY_ADDRESS = {("add", "address"), ("reserve", "address"), ("trace", "peer")}
"""Arguments that are no address of the files."""


def main() -> None:
    """Write the files into the folder on the command line, or into FOLDER."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    parser = build_parser()
    _complete(parser)
    for name, shell in FILES.items():
        text = shtab.complete(parser, shell=shell, preamble=PREAMBLES[shell])
        text = ONE_FOR_ZSH.sub(MANY_FOR_ZSH, text).replace(BASH_REGISTERS, BASH_ENDS)
        (folder / name).write_text(f"{text.rstrip()}\n", encoding="utf-8")


def _complete(parser: ArgumentParser, verb: str = "") -> None:
    """Tell shtab how arguments are completed, in the parser and those of its verbs."""
    for action in parser._actions:  # argparse has no public way
        if action.metavar == FILE:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif isinstance(action.metavar, str) and action.metavar in FUNCTIONS and _is_known(action, verb):
            function = FUNCTIONS[action.metavar]
            action.complete = {"bash": function, "zsh": function, "fish": f"({function})"}  # type: ignore[attr-defined]
        if isinstance(action, _SubParsersAction):
            for name, choice in action.choices.items():
                _complete(choice, name)


def _is_known(action: Action, verb: str) -> bool:
    """Return whether what the argument names is in the files, or libvirt has it."""
    return (verb, action.dest) not in ANY_ADDRESS and action.dest != "dns"


if __name__ == "__main__":
    main()
