"""The scripts take the options of musubi-tuner v0.3.4, as the core's table has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from musubi_nodes_miniature import CHECKOUT
from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.parser import TABLE, _int_or_float, parser_of
from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.scripts import SCRIPTS

TABLES = json.loads((files("musubi_nodes") / "commands" / "tables" / "v0.3.4.json").read_text("utf-8"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_options_are_those_of_the_core_table(name: str) -> None:
    assert json.loads(TABLE.read_text("utf-8"))[name] == TABLES[name]


def test_every_script_has_file_and_options() -> None:
    served = {path.name for path in (CHECKOUT / "src" / "musubi_tuner").glob("*.py")} - {"__init__.py"}
    assert served == set(SCRIPTS) == set(json.loads(TABLE.read_text("utf-8")))


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_names_every_option(name: str, script: Callable[..., object]) -> None:
    done = script(name, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: {name} [-h]")
    assert all(row["flags"][0] in done.stdout for row in TABLES[name])
    assert not done.stderr


def test_parsing_is_argparse() -> None:
    parser = parser_of("wan_generate_video.py")
    args = parser.parse_args(["--save_path", "x", "--video_si", "64", "96", "--lora_multiplier", "1", "0.5", "--fp8_s"])
    assert (args.video_size, args.lora_multiplier, args.fp8_scaled) == ([64, 96], [1.0, 0.5], True)
    assert (args.fps, args.trim_tail_frames, args.slg_end, args.device) == (16, 0, 0.3, None)
    assert parser_of("wan_train_network.py").parse_args(["--dataset_config", "a"]).dataset_config == Path("a")


@pytest.mark.parametrize(("text", "value"), [("10", 10), ("0.1", 0.1), ("5%", 0.05), ("1.5", 1.5), ("0", 0.0)])
def test_int_or_float(text: str, value: float) -> None:
    assert _int_or_float(text) == value


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--bogus"], "error: unrecognized arguments: --bogus"),
        (["--task", "t3v"], "error: argument --task: invalid choice: 't3v'"),
        (["--learning_rate", "x"], "error: argument --learning_rate: invalid float value: 'x'"),
        (["--timestep_boundary", "0.9"], "error: argument --timestep_boundary: invalid int value: '0.9'"),
        (["--fp8"], "error: ambiguous option: --fp8 could match"),
    ],
)
def test_wrong_options(args: list[str], message: str, script: Callable[..., object]) -> None:
    done = script("wan_train_network.py", *args)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: wan_train_network.py [-h]")
    assert done.stderr.splitlines()[-1].startswith(f"wan_train_network.py: {message}")
