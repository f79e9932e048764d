"""What a checkout of musubi-tuner says of a family outside of its parsers."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from musubi_nodes.files import CODE, read_bytes
from musubi_nodes.runs.install import SOURCE_FOLDERS

NAMED = re.compile(r"\bARCHITECTURE_\w+?(?<!_FULL)\b")
VALUE = re.compile(r'^(ARCHITECTURE_\w+) = "(\w+)"', re.MULTILINE)
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONTINUED = re.compile(r"[\\`]\n")
LINE_OPTION = re.compile(r'^\s*(?:el)?if option == "(\w+)"(?: or option == "(\w+)")?', re.MULTILINE)
"""An option of ``parse_prompt_line`` (v0.3.4)."""


def architectures(root: Path, prefix: str) -> tuple[str, ...]:
    """Return tails of the family's cache files, as its scripts or its package name them."""
    values = dict(VALUE.findall("\n".join(_texts(root, "dataset/*.py"))))
    for places in (f"{prefix}_*.py", f"{prefix}/*.py"):
        names = [name for text in _texts(root, places) for name in NAMED.findall(text)]
        if found := tuple(dict.fromkeys(values[name] for name in names if name in values)):
            return found
    return ()


def documented_training(root: Path, script: str) -> Mapping[str, str]:
    """Return the options of the most usual documented command that trains a LoRA with ``script``."""
    found = [options for block in _blocks(root) if script in block and (options := _options(block, script))]
    module = Counter(options["network_module"] for options in found).most_common(1)
    return next((each for each in found if each["network_module"] == module[0][0]), {})


def line_options(path: Path) -> frozenset[str]:
    """Return the options that a line of the script's prompt file may have."""
    return frozenset(name for pair in LINE_OPTION.findall(_text(path)) for name in pair if name)


def _blocks(root: Path) -> Iterator[str]:
    for file in sorted((root / "docs").glob("*.md")):
        yield from BLOCK.findall(_text(file))


def _options(block: str, script: str) -> dict[str, str]:
    """Return ``name: value`` of a command with a network module."""
    command = block.partition(script)[2]
    command = CONTINUED.sub(" ", command).partition("\n")[0]
    try:
        words: Sequence[str] = shlex.split(command, comments=True)
    except ValueError:
        return {}
    pairs = zip(words, [*words[1:], ""], strict=False)
    found = {word[2:]: after for word, after in pairs if word.startswith("--") and not after.startswith("--")}
    return found if "network_module" in found else {}


def _texts(root: Path, pattern: str) -> list[str]:
    files = (file for folder in SOURCE_FOLDERS for file in sorted((root / folder).glob(pattern)))
    return [_text(file) for file in files]


def _text(path: Path) -> str:
    return read_bytes(path, CODE).decode("utf-8", "replace")
