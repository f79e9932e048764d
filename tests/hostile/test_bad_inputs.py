"""Bad inputs of every parser, always the same ones: each is refused with one clear error, and nothing is started."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.datasets.broken_tomls import BROKEN
from tests.hostile import bad_inputs as bad
from tests.hostile.opened import started

from musubi_nodes.commands.extra import extra_arguments
from musubi_nodes.commands.helptext import parse_help
from musubi_nodes.commands.parser_options import _specs
from musubi_nodes.commands.tables import OptionSpec, table
from musubi_nodes.datasets.checks.check import check
from musubi_nodes.datasets.config.schema import DatasetConfig, ImageDataset
from musubi_nodes.datasets.config.toml import load
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.hosts.terminal.host import TerminalHost
from musubi_nodes.hosts.terminal.workflow import check_workflow, read_workflow
from musubi_nodes.nodes.prompt_tables import read_prompts
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.testing.contract import runner_options
from musubi_nodes.testing.fill import build
from musubi_nodes.testing.hostile import refused
from musubi_nodes.weights import read_header

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
TRAIN = "wan_train_network.py"
Parse = Callable[[Path], Any]


def dataset(path: Path) -> Any:
    return load(path)


def extra(path: Path) -> Any:
    text = path.read_bytes().decode("utf-8", "surrogatepass")
    return list(extra_arguments(text, TRAIN, table(TRAIN) or {}, "0.3.4"))


def node(name: str) -> Any:
    return next(each for each in plugins().nodes if each.id == f"MusubiTuner_{name}")


def lines(path: Path) -> Any:
    text = path.read_bytes().decode("utf-8", "surrogatepass")
    return node("OptimizerConfig").parse({"optimizer_args": text, "optimizer_type": "AdamW"})


def prompts(path: Path) -> Any:
    host = TerminalHost(path.parent / "output", plugins().config)
    context = types.SimpleNamespace(host=host, services=plugins())
    return list(read_prompts(path, context).prompts)  # type: ignore[arg-type]


def jsonl(path: Path) -> Any:
    config = DatasetConfig(datasets=(ImageDataset(image_jsonl_file=path, cache_directory=path.parent / "cache"),))
    return check(scan(config), config).raise_errors()


def workflow(path: Path) -> Any:
    host = TerminalHost(path.parent / "output", plugins().config)
    return check_workflow(read_workflow(path, plugins().nodes), host, plugins())


PARSERS: dict[str, tuple[Parse, str, str]] = {
    "dataset TOML": (dataset, "a.toml", bad.DATASET),
    "dataset JSON": (dataset, "a.json", json.dumps({"datasets": [{"image_directory": "/data", "batch_size": 2}]})),
    "extra options": (extra, "a.txt", bad.EXTRA),
    "arguments by lines": (lines, "b.txt", bad.LINES),
    "prompts in CSV": (prompts, "a.csv", bad.CSV),
    "prompts in JSONL": (prompts, "a.jsonl", bad.JSONL),
    "dataset JSONL": (jsonl, "b.jsonl", bad.DATA_JSONL),
    "workflow": (workflow, "w.json", bad.WORKFLOW),
}


AT_LEAST = 150
"""Different bad inputs of each parser."""


@pytest.mark.parametrize("name", PARSERS)
def test_broken_texts_are_refused_with_one_clear_error(name: str, tmp_path: Path) -> None:
    parse, file, valid = PARSERS[name]
    path, distinct = tmp_path / file, set[str]()

    @bad.always_the_same
    @given(bad.broken(valid))
    def tried(text: str) -> None:
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        if refused(lambda: parse(path)):
            distinct.add(text)

    with started() as programs:
        tried()
    assert not programs
    assert len(distinct) >= AT_LEAST, f"only {len(distinct)} different bad inputs"


def test_they_are_far_more_than_300_beside_the_lists_of_single_mistakes() -> None:
    assert AT_LEAST * len(PARSERS) >= 1000 and len(BROKEN) >= 60


@bad.always_the_same
@given(bad.broken(bad.HELP))
def test_a_broken_help_text_makes_no_option_that_is_none(text: str) -> None:
    found = parse_help(text)
    for name, spec in found.items():
        assert name == spec.name and name.replace("-", "_").isidentifier() and not name.startswith("-")


@pytest.mark.parametrize("script", ["WanLoRATrainer", "WanGenerator", "WanLatentCache"])
def test_a_broken_option_table_is_one_clear_error_and_no_command(script: str) -> None:
    """What the help text of a damaged install says: options are missing, or have other values."""
    real = node(script)
    inputs, whole = build(real.Inputs), table(real.script) or {}
    kept = "usage: x\n\noptions:\n" + "".join(
        f"  --{spec.name}" + ("" if spec.flag else f" {'{' + ','.join(spec.choices) + '}' if spec.choices else 'X'}")
        + f"{'' if not spec.is_list else ' X'}  help\n" for spec in whole.values()
    )  # fmt: skip
    tables: set[str] = set()

    @bad.always_the_same
    @given(bad.broken(kept) | bad.broken(bad.HELP))
    def tried(text: str) -> None:
        known = parse_help(text)
        if refused(lambda: real().planned(inputs, known, "0.3.4").argv(runner_options(real, known))):
            tables.add(repr(known))

    with started() as programs:
        tried()
    assert not programs and len(tables) >= 50


ROWS = st.fixed_dictionaries({}, optional=dict.fromkeys(asdict(OptionSpec("x")), VALUES))


@bad.always_the_same
@given(VALUES | st.lists(ROWS, max_size=2))
def test_a_damaged_kept_table_is_no_table_or_a_whole_one(value: Any) -> None:
    for name, spec in _specs(json.loads(json.dumps(value))).items():
        assert isinstance(name, str) and isinstance(spec, OptionSpec)
        assert all(isinstance(choice, str) for choice in spec.choices)


def test_a_damaged_header_of_weights_is_one_clear_error(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "__metadata__": {"x": "y"}})
    path, distinct = tmp_path / "a.safetensors", set()

    @bad.always_the_same
    @given(bad.broken(header))
    def tried(text: str) -> None:
        data = text.encode("utf-8", "surrogatepass")
        path.write_bytes(len(data).to_bytes(8, "little") + data + b"\0\0\0\0")
        if refused(lambda: read_header(path)):
            distinct.add(data)

    tried()
    assert len(distinct) >= 100


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e400", "null", '"4"', "[4]"])
def test_a_header_with_numbers_that_are_none_is_refused(number: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for shape, end in ((number, "4"), ("1", number)):
        data = f'{{"a": {{"dtype": "F32", "shape": [{shape}], "data_offsets": [0, {end}]}}}}'.encode()
        path.write_bytes(len(data).to_bytes(8, "little") + data + b"\0\0\0\0")
        assert refused(lambda: read_header(path)) or number == '"4"'
