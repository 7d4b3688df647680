"""What the parser understands, for comparison with what is written about it elsewhere."""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction

from nethook.commands.parser import build_parser


def _option_strings(parser: ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


_PARSER = build_parser()
_PARSERS = {
    verb: parser
    for action in _PARSER._actions
    if isinstance(action, _SubParsersAction)
    for verb, parser in action.choices.items()
}

VERBS = set(_PARSERS)

GLOBAL_OPTIONS = _option_strings(_PARSER)
"""Before a verb."""

OPTIONS = {verb: _option_strings(parser) for verb, parser in _PARSERS.items()}
"""Behind each verb."""
