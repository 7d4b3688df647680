"""Writes the completions for bash, zsh and fish anew, from the parser: `make completions`.

What it writes is kept in packaging/completions: static files, so that completing costs no start of Python.
"""

from __future__ import annotations

import sys
from argparse import Action, ArgumentParser, _SubParsersAction
from pathlib import Path

from nethook.parser import build_parser

FOLDER = Path(__file__).resolve().parents[1] / "packaging" / "completions"
ORIGIN = "# Written by tools/completions.py of libvirt-nethook-helper: change the parser, and run `make completions`."
FILE = "FILE"
"""The metavar of arguments that are files; nothing else can be completed without asking somebody."""
ZSH_FILES = " '*:file:_files'"


class Command:
    """What can follow ``nethook``, or one of its verbs: options, what values some have, and whether files."""

    def __init__(self, parser: ArgumentParser) -> None:
        actions = parser._actions  # argparse has no public way
        self.options = [action for action in actions if action.option_strings]
        self.words = " ".join(word for action in self.options for word in action.option_strings)
        self.choices = {
            word: " ".join(action.choices)
            for action in self.options
            if action.choices
            for word in action.option_strings
        }
        self.takes_files = any(action.metavar == FILE for action in actions)


def main() -> None:
    """Write the files into the folder on the command line, or where they are kept."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name, text in completions(build_parser()).items():
        (folder / name).write_text(text, encoding="utf-8")


def completions(parser: ArgumentParser) -> dict[str, str]:
    """The text of each file, by its name, which is the one that its shell looks for."""
    verbs = next(action for action in parser._actions if isinstance(action, _SubParsersAction))
    summaries = {action.dest: action.help or "" for action in verbs._choices_actions}
    commands = {verb: Command(each) for verb, each in verbs.choices.items()}
    top = Command(parser)
    texts = {
        "nethook": _bash(top, commands),
        "_nethook": _zsh(top, commands, summaries),
        "nethook.fish": _fish(top, commands, summaries),
    }
    return {name: "\n".join(lines) + "\n" for name, lines in texts.items()}


def _bash(top: Command, commands: dict[str, Command]) -> list[str]:
    lines = [
        ORIGIN,
        "_nethook() {",
        "    local current=${COMP_WORDS[COMP_CWORD]} verb= offered= options= word",
        '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
        "        [[ $word == -* ]] || { verb=$word; break; }",
        "    done",
        "    case $verb in",
        f"        '') offered=(-W '{' '.join(commands)}') options='{top.words}' ;;",
    ]
    for verb, command in commands.items():
        files = "offered=-f " * command.takes_files
        lines.append(f"        {verb}) {files}options='{command.words}' ;;")
    lines.append("    esac")
    for verb, command in commands.items():
        for word, choices in command.choices.items():
            value = f"[[ $verb == {verb} && ${{COMP_WORDS[COMP_CWORD-1]}} == {word} ]]"
            lines.append(f"    {value} && offered=(-W '{choices}')")
    return [
        *lines,
        '    [[ $current == -* ]] && offered=(-W "$options")',
        '    [[ -n $offered ]] && mapfile -t COMPREPLY < <(compgen "${offered[@]}" -- "$current")',
        "}",
        "complete -o filenames -F _nethook nethook",
    ]


def _zsh(top: Command, commands: dict[str, Command], summaries: dict[str, str]) -> list[str]:
    lines = [
        "#compdef nethook",
        ORIGIN,
        "_nethook() {",
        "    local context state state_descr line",
        "    typeset -A opt_args",
        "    local -a verbs=(",
        *(f"        {_quoted(f'{verb}:{summary}')}" for verb, summary in summaries.items()),
        "    )",
        "    _arguments -C -A '-*' \\",  # -A: what follows the verb is the verb's
        *(f"        {_zsh_option(option)} \\" for option in top.options),
        "        '1:verb:->verb' '*::argument:->arguments'",
        "    case $state in",
        "        verb) _describe verb verbs ;;",
        "        arguments)",
        "            case $words[1] in",
    ]
    for verb, command in commands.items():
        options = [_zsh_option(option) for option in command.options]
        lines.append(f"                {verb}) _arguments {' '.join(options)}{ZSH_FILES * command.takes_files} ;;")
    return [*lines, "            esac ;;", "    esac", "}", '_nethook "$@"']


def _zsh_option(option: Action) -> str:
    help_text = (option.help or "").replace("[", r"\[").replace("]", r"\]").replace(":", r"\:")
    value = f":{option.metavar}:({' '.join(option.choices or ())})" if option.nargs is None else ""
    return " ".join(_quoted(f"{word}[{help_text}]{value}") for word in option.option_strings)


def _fish(top: Command, commands: dict[str, Command], summaries: dict[str, str]) -> list[str]:
    lines = [ORIGIN, "complete -c nethook -f"]
    lines += [_fish_option("__fish_use_subcommand", option) for option in top.options]
    for verb, summary in summaries.items():
        lines.append(f"complete -c nethook -n __fish_use_subcommand -a {verb} -d {_quoted(summary)}")
    for verb, command in commands.items():
        condition = f"'__fish_seen_subcommand_from {verb}'"
        lines += [_fish_option(condition, option) for option in command.options]
        if command.takes_files:
            lines.append(f"complete -c nethook -n {condition} -F")
    return lines


def _fish_option(condition: str, option: Action) -> str:
    words = [f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}" for word in option.option_strings]
    value = f" -x -a {_quoted(' '.join(option.choices or ()))}" if option.nargs is None else ""
    return f"complete -c nethook -n {condition} {' '.join(words)}{value} -d {_quoted(option.help or '')}"


def _quoted(text: str) -> str:
    """In single quotes, for all three shells (fish knows no other way than a backslash, which the others do not)."""
    if "'" in text or "\\" in text.replace(r"\[", "").replace(r"\]", "").replace(r"\:", ""):
        raise SystemExit(f"a quote or backslash in a help text is not provided for: {text}")
    return f"'{text}'"


if __name__ == "__main__":
    main()
