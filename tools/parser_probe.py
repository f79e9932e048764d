"""Prints the options of a script's argparse parser as JSON, without running it: ``python parser_probe.py SCRIPT``.

It runs in musubi-tuner's environment, so it imports nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import runpy
import sys
from typing import Any

LONGEST = 60


def row(action: argparse.Action) -> dict[str, Any]:
    """Describe an option as the stored tables do."""
    kind = type(action).__name__.strip("_").removesuffix("Action")
    default = "<long text>" if isinstance(action.default, str) and len(action.default) > LONGEST else action.default
    facts = {
        "flags": action.option_strings or [action.dest],
        "action": kind,
        "positional": not action.option_strings or None,
        "nargs": action.nargs,
        "type": getattr(action.type, "__name__", None),
        "choices": list(action.choices) if action.choices else None,
        "required": (bool(action.option_strings) and action.required) or None,
        "default": None if default is argparse.SUPPRESS or (kind == "StoreTrue" and default is False) else default,
    }
    return {name: value for name, value in facts.items() if value is not None}


def print_options(parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
    """Take the place of ``parse_args``."""
    rows = [row(action) for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    print(json.dumps(rows, default=str))
    sys.exit()


if __name__ == "__main__":
    with contextlib.suppress(ImportError):  # wan/modules/t5.py asks for the GPU when it is imported (v0.3.4)
        import torch

        torch.cuda.current_device = lambda: 0
    argparse.ArgumentParser.parse_args = argparse.ArgumentParser.parse_known_args = print_options  # type: ignore
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
