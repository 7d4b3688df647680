"""What a shell offers behind a beginning of a command line, found out from the shell itself."""

from __future__ import annotations

import re
from pathlib import Path

from lab.processes import run

COMPLETIONS = Path(__file__).parents[2] / "packaging" / "completions"

# Called as bash calls it: with the words in variables, and command, word and word before as arguments.
BASH = """
source "$1" || exit
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
set -- $(complete -p nethook)
while [ "$1" != -F ]; do shift; done
"$2" nethook "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

# Completion works only in the line editor, which works only at a terminal: zsh's module zpty is one. As soon as the
# editor is there, it is given the line and completes it; what it matches goes to a file.
ZSHRC = """
fpath=($FOLDER $fpath)
autoload -Uz compinit
compinit -u -d $ZDOTDIR/known
compadd() {
    local -a matches
    builtin compadd -O matches "$@"
    (( $#matches )) && print -rl -- $matches >>$MATCHES
    builtin compadd "$@"
}
zle-line-init() {
    BUFFER=$LINE
    CURSOR=$#BUFFER
    zle complete-word
    exit
}
zle -N zle-line-init
"""
ZSH = "zmodload zsh/zpty && zpty shell zsh -di && while zpty -r shell; do :; done"


def bash(line: str, _: Path) -> set[str]:
    """What bash offers. It ends words at colons, too."""
    words = [word for part in re.split("( )", line) if part != " " for word in re.findall(":+|[^:]+", part) or [""]]
    return _words(run(["bash", "--norc", "-c", BASH, "bash", str(COMPLETIONS / "nethook"), *words]).stdout)


def fish(line: str, folder: Path) -> set[str]:
    """What fish offers."""
    script = "source $argv[1]; complete -C $argv[2]"
    home = ["env", f"HOME={folder}", f"XDG_CONFIG_HOME={folder}", f"XDG_DATA_HOME={folder}"]
    offered = run([*home, "fish", "--no-config", "-c", script, COMPLETIONS / "nethook.fish", line]).stdout
    return {word.partition("\t")[0] for word in _words(offered)}


def zsh(line: str, folder: Path) -> set[str]:
    """What zsh offers. Of a path it matches each part by itself, so only the last one is told.

    What it has found out about all commands that it can complete, which takes long, it keeps in the folder.
    """
    matches = folder / "matches"
    matches.write_text("")
    (folder / ".zshrc").write_text(ZSHRC)
    variables = {"ZDOTDIR": folder, "FOLDER": COMPLETIONS, "MATCHES": matches, "LINE": line, "TERM": "xterm"}
    run(["env", *(f"{name}={value}" for name, value in variables.items()), "zsh", "-fc", ZSH])
    return _words(matches.read_text())


def _words(text: str) -> set[str]:
    return {word for word in text.splitlines() if word}
