"""Each row of the exit codes in docs/terminal.md is true."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.config import config_file, load_config
from musubi_nodes.files import write_json
from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.heartbeat import this_host
from musubi_nodes.testing.workplace import Workplace

ROOT = Path(__file__).resolve().parents[1]
CLI = [sys.executable, "-m", "musubi_nodes.hosts.terminal.cli"]
TABLE = (ROOT / "docs" / "terminal.md").read_text("utf-8")
ROWS = {
    (command, code)
    for commands, code in re.findall(r"^\| (.+?) \| (\d+) \| .+ \|$", TABLE, re.MULTILINE)
    for command in commands.replace("`", "").split(", ")
}
TESTED: set[tuple[str, str]] = set()


def ends(*commands: str, code: int) -> Callable[[Any], Any]:
    """Mark the test of a row, for each of its commands."""
    TESTED.update((command, str(code)) for command in commands)
    return lambda test: test


MODELS = {
    "dit": "miniature/wan_t2v_14b.safetensors",
    "vae": "miniature/wan_vae.safetensors",
    "t5": "miniature/umt5_xxl.safetensors",
}
NO_ROOM = """
texts = [open(w.split('=', 1)[1]).read() for w in words if w.startswith('--from_file=')]
if '--w 128' in ' '.join(texts) or (not texts and '128' in words):
    raise RuntimeError('it does not fit')
"""


def batch(place: Workplace, *widths: int) -> list[str]:
    """Arguments that generate a video of each width."""
    lines = "\n".join(f"a square --w {width}" for width in widths)
    inputs = {"models": ["1", 0], "prompts": ["2", 0], "width": 96, "height": 64, "video_length": 5, "infer_steps": 2}
    graph = {
        "1": {"class_type": "MusubiTuner_WanModels", "inputs": MODELS},
        "2": {"class_type": "MusubiTuner_BatchProcessor", "inputs": {"text": lines}},
        "3": {"class_type": "MusubiTuner_WanGenerator", "inputs": inputs},
    }
    return ["run", str(write_json(place.folder / "w.json", graph)), "--output", str(place.host.output_folder)]


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> Workplace:
    return Workplace(tmp_path)


@ends("run", code=0)
def test_everything_was_made(place: Workplace) -> None:
    assert main(batch(place, 96)) == 0


@ends("demo", code=0)
@ends("demo", code=1)
@ends("demo", code=2)
def test_a_demo_is_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """test_demo.py runs it; here its last step fails, and then its first."""
    monkeypatch.setenv("MUSUBI_MINIATURE_MISBEHAVE", "crash wan_generate_video.py")
    assert main(["demo", "--family", "wan", "--output", str(tmp_path)]) == 1
    assert main(["demo", "--family", "none", "--output", str(tmp_path)]) == 2


@ends("run", code=1)
def test_some_prompts_of_a_batch_failed(place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    place.misbehaving("wan_generate_video.py", NO_ROOM)
    assert main(batch(place, 96, 128, 112)) == 1
    said = capsys.readouterr()
    assert "1" in said.err.splitlines()[-1] and "Traceback" not in said.err
    assert len(list(place.host.output_folder.glob("musubi/*.mp4"))) == 2


@ends("run", code=2)
def test_a_run_is_refused(tmp_path: Path) -> None:
    assert main(["run", str(tmp_path / "gone.json"), "--output", str(tmp_path)]) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a working folder")
def test_in_a_folder_that_was_deleted_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone, before = tmp_path / "gone", Path.cwd()
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    try:
        assert main(["run", str(tmp_path / "w.json")]) == 2
    finally:
        os.chdir(before)
    assert "the working folder is not there" in capsys.readouterr().err


@ends("runs", code=0)
def test_the_runs_are_listed(tmp_path: Path) -> None:
    assert main(["runs", "--output", str(tmp_path)]) == 0
    RunFolder.create(tmp_path, "Node").write_status("done")
    assert main(["runs", "--output", str(tmp_path)]) == 0


@ends("doctor", code=0)
@ends("doctor", code=1)
def test_the_doctor_finds_a_fault_or_none(tmp_path: Path, musubi_miniature: str) -> None:
    config_file().write_text("", "utf-8")
    assert main(["doctor", "--output", str(tmp_path)]) == 0
    config_file().write_text("executor = 'none'", "utf-8")
    load_config.cache_clear()
    plugins.cache_clear()
    assert main(["doctor", "--output", str(tmp_path)]) == 1


@ends("runs", "doctor", code=1)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no disk that is always full")
@pytest.mark.parametrize("command", ["runs", "doctor"])
def test_a_list_cannot_be_written(tmp_path: Path, musubi_miniature: str, command: str) -> None:
    RunFolder.create(tmp_path, "Node").write_status("done")
    with open("/dev/full", "wb") as full:
        assert subprocess.run([*CLI, command, "--output", str(tmp_path)], stdout=full).returncode == 1


@ends("runs", "doctor", code=141)
@pytest.mark.parametrize("command", ["runs", "doctor"])
def test_the_reader_ends_first(tmp_path: Path, musubi_miniature: str, command: str) -> None:
    RunFolder.create(tmp_path, "Node").write_status("done")
    with subprocess.Popen([*CLI, command, "--output", str(tmp_path)], stdout=subprocess.PIPE) as listing:
        assert listing.stdout
        listing.stdout.close()
        assert listing.wait(60) == 141


@ends("stop", code=0)
@ends("stop", code=2)
def test_a_training_is_stopped(tmp_path: Path) -> None:
    assert main(["stop", "--output", str(tmp_path)]) == 2
    folder = RunFolder.create(tmp_path, "WanLoRATrainer")
    folder.write_status("running", **this_host())
    assert main(["stop", "--output", str(tmp_path)]) == 0
    assert main(["stop", "other", "--output", str(tmp_path)]) == 2


@ends("new-plugin", code=0)
@ends("new-plugin", code=2)
def test_a_plugin_is_written(tmp_path: Path) -> None:
    assert main(["new-plugin", "my-model", "--into", str(tmp_path)]) == 0
    assert main(["new-plugin", "my-model", "--into", str(tmp_path)]) == 2
    assert main(["new-plugin", "not a name", "--into", str(tmp_path)]) == 2
    assert len(list(tmp_path.iterdir())) == 1


@ends("all", code=2)
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["run"],
        ["run", ""],
        ["run", "w.json", "--output", ""],
        ["runs", "--output", " "],
        ["runs", "-n", "0"],
        ["runs", "-n", "many"],
        ["new-plugin", "my-model", "--into", ""],
    ],
    ids=" ".join,
)
def test_wrong_arguments(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and not list(tmp_path.iterdir())


@ends("all", code=130)
@pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_list_is_cancelled_while_its_reader_waits(tmp_path: Path, number: signal.Signals) -> None:
    """test_terminal_cancel.py cancels a run."""
    for _ in range(1_000):
        RunFolder.create(tmp_path, "N" * 80).write_status("done")
    with subprocess.Popen([*CLI, "runs", "-n", "1000", "--output", str(tmp_path)], stdout=subprocess.PIPE) as listing:
        assert listing.stdout and listing.stdout.read(1)
        listing.send_signal(number)
        assert listing.wait(60) == 130


def test_each_row_has_a_test_and_each_test_a_row() -> None:
    assert len(ROWS) > 10 and TESTED == ROWS
