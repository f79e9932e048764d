"""``musubi-nodes runs``: a table that fits, and JSON for programs; whatever lies in a run folder."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musubi_nodes.files import write_json
from musubi_nodes.hosts.columns import columns, cut, table
from musubi_nodes.hosts.terminal import listing
from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.hosts.terminal.output import Output
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.heartbeat import this_host


def training(output: Path, status: str = "done", **details: Any) -> RunFolder:
    folder = RunFolder.create(output, "MusubiTuner_WanLoRATrainer")
    origin = {"class": "MusubiTuner_WanLoRATrainer", "family": "wan", "time": time.time() - 3_725}
    write_json(folder.path / "origin.json", origin)
    write_json(folder.path / "training.json", {"output_name": "\u732b"})
    write_json(folder.path / "progress.json", {"step": 40, "steps": 80, "loss": 0.12345})
    folder.write_status(status, **details)  # type: ignore[arg-type]
    return folder


def said(capsys: pytest.CaptureFixture[str], output: Path, *options: str) -> str:
    assert main(["runs", "--output", str(output), *options]) == 0
    return capsys.readouterr().out


def test_a_training_has_its_name_family_steps_loss_and_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = training(tmp_path)
    heading, row = said(capsys, tmp_path).splitlines()
    assert heading.split() == list(listing.HEADINGS)
    run, _, _, *facts = row.split()
    assert run == folder.path.name[-6:]
    assert facts == ["done", "wan", "WanLoRATrainer", "\u732b", "40/80", "0.123", "1:02:05"]


def test_the_newest_comes_first_and_an_error_below_its_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (
        training(tmp_path),
        training(tmp_path, "failed", error="the loss is NaN\nmore of it", code="loss-nan"),
    )
    lines = said(capsys, tmp_path).splitlines()[1:]
    assert [line.split()[0] for line in lines] == [second.path.name[-6:], "the", first.path.name[-6:]]
    assert "more of it" not in "".join(lines)
    assert len(said(capsys, tmp_path, "-n", "1").splitlines()) == 3
    assert [run["code"] for run in json.loads(said(capsys, tmp_path, "--json"))] == ["loss-nan", ""]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_it_fits_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    write_json(training(tmp_path, "failed", error="e" * 300).path / "training.json", {"output_name": "\u732b" * 50})
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(Output, "isatty", lambda _: True)
    assert max(map(columns, said(capsys, tmp_path).splitlines())) == width


def test_json_holds_the_same_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = training(tmp_path, "running", **this_host())
    (run,) = json.loads(said(capsys, tmp_path, "--json"))
    assert run["path"] == str(folder.path) and run["folder"] == folder.path.name
    assert (run["status"], run["family"], run["name"]) == ("running", "wan", "\u732b")
    assert (run["step"], run["steps"], run["loss"]) == (40, 80, 0.12345)
    assert abs(run["seconds"] - 3_725) < 60 and run["error"] == run["code"] == run["made"] == ""
    assert said(capsys, tmp_path / "none", "--json") == "[]\n"


def test_a_run_whose_program_was_killed_took_until_its_last_heartbeat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = training(tmp_path, "running", **{**this_host(), "started": "another process"})
    started = folder.origin()["time"]
    (folder.path / "alive").write_bytes(b"1")
    os.utime(folder.path / "alive", (started + 60, started + 60))
    (run,) = json.loads(said(capsys, tmp_path, "--json"))
    assert run["status"] == "failed" and run["seconds"] == pytest.approx(60)


@pytest.mark.parametrize("name", ["status.json", "origin.json", "progress.json", "training.json"])
@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "null", '"x"', '{"status": null}', '{"status": {"a": []}, "time": "now"}', '{"status": "\\u001b[2J"}',
        '{"time": 1e400, "loss": NaN, "step": 1e9}', '{"time": -1e300, "step": -5, "steps": "x"}',
        '{"output_name": {"x": 1}, "class": 7, "family": ["\\ud800"]}', '{"error": "\\u001b]0;x\\u0007"}', "[" * 9_999,
    ],
)  # fmt: skip
def test_one_bad_file_takes_no_other_run_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    good, bad = training(tmp_path), training(tmp_path)
    (bad.path / name).write_text(content, "utf-8")
    shown = said(capsys, tmp_path)
    assert good.path.name[-6:] in shown and bad.path.name[-6:] in shown and "\x1b" not in shown
    assert len(json.loads(said(capsys, tmp_path, "--json"))) == 2


def test_a_run_without_files_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RunFolder.create(tmp_path, "Node")
    assert "unknown" in said(capsys, tmp_path)


ROWS = st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30), st.text(max_size=9)), min_size=1)


@given(ROWS, st.integers(4, 99))
def test_a_table_is_never_wider_than_it_may_be(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = table(rows, width, elastic=(1, 0), right=(2,))
    assert len(lines) == len(rows) and max(map(columns, lines)) <= width


def test_columns_are_aligned_whatever_the_letters() -> None:
    assert table([("a", "1"), ("\u732b", "22")], None, right=(1,)) == ["a    1", "\u732b  22"]
    assert cut("\u732b\u732b\u732b", 5) == "\u732b.."
