from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.links import symlink

from musubi_nodes.runs.record import rerun_script
from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.rerun_script import Again, powershell
from musubi_nodes.testing.errors import fails

FULL = """
import json, os, resource, sys
from pathlib import Path
from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.process.executor import LocalProcess
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.run import Command, run

class Watching:
    def progress(self, now): pass
    def raise_if_interrupted(self): pass

limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
folder = RunFolder(Path(sys.argv[1]))
try:
    run(Command("script.py", sys.argv[3:], folder.path, dict(os.environ)), folder, LocalProcess(), Watching())
except MusubiError as error:
    print(error.code)
"""


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_FSIZE")
@pytest.mark.parametrize("limit", [0, 6_000])
def test_a_full_disk_is_one_clear_error_and_nothing_is_left(
    runs: Any, tree: Any, host_environment: dict[str, str], limit: int
) -> None:
    host = runs.tmp_path / "host.py"
    host.write_text(FULL, encoding="utf-8")
    command = [sys.executable, str(host), str(runs.folder.path), str(limit), *tree.command]
    told = subprocess.run(command, env=host_environment, capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == ["disk-full"]
    assert told.stderr == ""
    assert tree.processes() == []


@pytest.mark.skipif(not Path("/dev/full").exists() or os.name == "nt", reason="/dev/full")
def test_metrics_on_a_full_disk_are_one_clear_error(runs: Any) -> None:
    symlink(runs.folder.metrics, "/dev/full")
    with fails("disk-full"):
        runs("""
            import sys, time
            for step in range(1, 1000):
                print(f"steps: 1%|#| {step}/1000 [00:01<00:01, 9.9it/s, avr_loss=1.0]", file=sys.stderr, flush=True)
            time.sleep(600)
        """)
    assert runs.folder.status()["status"] == "failed"


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete open files")
def test_a_run_folder_that_is_deleted_is_one_clear_error_and_nothing_is_left(runs: Any, tree: Any) -> None:
    def delete() -> None:
        if tree.ready() and runs.folder.path.exists():
            shutil.rmtree(runs.folder.path)

    with fails("run-folder-deleted"):
        runs(tree.command, interrupt=delete)
    assert tree.processes() == []
    assert not runs.folder.path.exists()


@pytest.mark.skipif(os.name == "nt", reason="permissions")
def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "musubi").write_text("a file stands here")
    with fails("folder-not-writable"):
        RunFolder.create(tmp_path, "node")


def test_run_folders_come_newest_first(tmp_path: Path) -> None:
    for name in ("20240101-000000-a-1", "20250101-000000-a-1"):
        (tmp_path / "musubi" / "runs" / name).mkdir(parents=True)
    assert [folder.path.name[:4] for folder in run_folders(tmp_path)] == ["2025", "2024"]
    assert list(run_folders(tmp_path / "nothing")) == []


def test_runs_of_the_same_second_come_newest_first_too(tmp_path: Path) -> None:
    made = [RunFolder.create(tmp_path, "node") for _ in range(12)]
    assert list(run_folders(tmp_path)) == made[::-1]


@pytest.mark.parametrize("content", ["", "{", "[1]", '"text"', "null"])
def test_a_broken_status_is_unknown(tmp_path: Path, content: str) -> None:
    (tmp_path / "status.json").write_text(content)
    assert RunFolder(tmp_path).status() == {"status": "unknown"}


def test_status_is_never_seen_half_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_status("done", script="x.py")
    assert json.loads((tmp_path / "status.json").read_text())["script"] == "x.py"
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize(
    ("system", "line"), [("nt", "& 'C:\\a b\\python.exe' 'it''s'"), ("posix", "'C:\\a b\\python.exe' 'it'\"'\"'s'")]
)
def test_a_command_is_typed_as_the_terminal_here_takes_it(
    monkeypatch: pytest.MonkeyPatch, system: str, line: str
) -> None:
    with monkeypatch.context() as there:
        there.setattr(rerun_script.os, "name", system)
        assert rerun_script.typed(["C:\\a b\\python.exe", "it's"]) == line


def test_the_powershell_script_quotes_everything() -> None:
    words = ["C:\\a b\\python.exe", "it's", "$x `y`", 'say "hi"\\', "‘a’ ‚b‛; calc #"]
    text = powershell(Again(words, "D:\\it's", {"X": "1'2", "PROGRAMFILES(X86)": "C:\\P"}, ["HF_TOKEN"]))
    lines = text.splitlines()
    assert "$start.FileName = 'C:\\a b\\python.exe'" in lines
    assert "$start.WorkingDirectory = 'D:\\it''s'" in lines
    assert "$start.EnvironmentVariables['X'] = '1''2'" in lines
    assert "$start.EnvironmentVariables['PROGRAMFILES(X86)'] = 'C:\\P'" in lines
    assert "if ($env:HF_TOKEN) { $start.EnvironmentVariables['HF_TOKEN'] = $env:HF_TOKEN }" in lines
    (arguments,) = (line for line in lines if line.startswith("$start.Arguments"))
    assert strings_of_powershell(arguments) == [subprocess.list2cmdline(words[1:])]
    assert lines.index("$start.EnvironmentVariables.Clear()") < lines.index("$start.EnvironmentVariables['X'] = '1''2'")


def strings_of_powershell(text: str) -> list[str]:
    """The single-quoted strings of a line, read as PowerShell's tokenizer does (ScanStringLiteral: each of five
    characters opens and closes one, and stands for itself if any of them follows)."""
    quotes, found, position = "'\u2018\u2019\u201a\u201b", [], 0
    while position < len(text):
        if text[position] in quotes:
            value, position = "", position + 1
            while text[position] not in quotes or text[position + 1 : position + 2] in tuple(quotes):
                value, position = value + text[position], position + 1 + (text[position] in quotes)
            found.append(value)
        position += 1
    return found


def test_a_status_file_without_a_status_is_unknown_to_everybody(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "WanLoRATrainer")
    (folder.path / "status.json").write_text("{}", "utf-8")
    assert folder.status()["status"] == "unknown"
    with fails("run-not-running", folder.path.name):
        folder.ask_to_stop()
