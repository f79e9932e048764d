"""Run folders lie where others may write: one with anything in its files breaks no list and reaches no terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.files import write_json, write_text
from musubi_nodes.hosts.comfyui import run_state
from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.runs.hardware.trees import tree
from musubi_nodes.runs.record.folder import RunFolder, runs_of
from musubi_nodes.runs.record.rerun_script import pasted_command
from musubi_nodes.runs.record.states import states
from musubi_nodes.runs.record.values import FILES
from musubi_nodes.testing.workplace import Workplace

ODD = [None, True, [], {}, [[]], 7, 10**400, -1, 1.5, "x", "\x1b]0;runner_options\x07\x9b31m\u202e"]
NAME = "20250101-000000-000-WanLoRATrainer-abcdef"


@pytest.fixture
def output(musubi_workplace: Workplace) -> Path:
    return musubi_workplace.host.output_folder


@pytest.fixture
def run(output: Path) -> RunFolder:
    """A run of which all is as it should be, and that has ended."""
    folder = RunFolder(runs_of(output) / NAME)
    (folder.out / "x-state").mkdir(parents=True)
    for name in FILES:
        write_json(folder.path / name, {})
    write_json(folder.path / "status.json", {"status": "done", "time": 1.0})
    write_text(folder.metrics, '{"step": 1, "loss": 0.5, "time": 1.0}\n')
    write_text(folder.log, "epoch 1/1\n")
    return folder


def look(folder: RunFolder, output: Path) -> Any:
    """All that reads a run's files."""
    told = run_state.state(folder, output), run_state.listed(output, 10, workflow="w")
    json.dumps(told, allow_nan=False)
    return told, folder.before, tree(folder), pasted_command(folder), states(folder), folder.has_ended(lambda: None)


@pytest.mark.parametrize("name", [*FILES, "resources.jsonl", "metrics.jsonl"])
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ascii(odd)[:12])
def test_a_value_of_a_wrong_kind_counts_as_not_there(
    run: RunFolder, output: Path, name: str, odd: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    row = dict.fromkeys([*FILES.get(name, ()), "step", "loss", "lr", "stage", "current", "total", "gpu_used"], odd)
    write_text(run.path / name, json.dumps(row) + "\n")
    look(run, output)
    assert main(["runs", "--output", str(output)]) == 0
    said = capfd.readouterr()
    assert "abcdef" in said.out and "Traceback" not in said.err
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*said.out, *said.err}


@pytest.mark.parametrize("name", [*FILES, "resources.jsonl", "metrics.jsonl"])
@pytest.mark.parametrize("text", ["[[[[", "[" * 100_000, "null", "\0", '{"a":' * 500 + "1" + "}" * 500, "\xff"])
def test_a_file_that_holds_no_object_counts_as_not_there(run: RunFolder, output: Path, name: str, text: str) -> None:
    (run.path / name).write_text(text, "latin-1")
    look(run, output)
    assert main(["runs", "--output", str(output)]) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs in folders")
@pytest.mark.parametrize("name", [*FILES, "resources.jsonl", "metrics.jsonl", "log.txt", "alive", "stop-after-save"])
def test_a_file_that_is_a_fifo_is_not_waited_for(run: RunFolder, output: Path, name: str) -> None:
    (run.path / name).unlink(missing_ok=True)
    os.mkfifo(run.path / name)
    look(run, output)
    assert main(["runs", "--output", str(output)]) == 0


def test_one_odd_run_hides_no_other(run: RunFolder, output: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = RunFolder(runs_of(output) / NAME.replace("abcdef", "fedcba"))
    other.path.mkdir()
    other.write_status("done")
    write_json(run.path / "status.json", {"status": None})
    assert main(["runs", "--output", str(output)]) == 0
    assert {"abcdef", "fedcba"} <= {*capfd.readouterr().out.split()}
