"""``musubi-nodes stop``: asks a running training to end after its next save."""

from __future__ import annotations

from pathlib import Path

import pytest

from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.hosts.terminal.listing import stop_run
from musubi_nodes.runs.record.folder import RunFolder, run_named
from musubi_nodes.runs.record.heartbeat import this_host
from musubi_nodes.testing.errors import fails


def running(output: Path, node: str) -> RunFolder:
    folder = RunFolder.create(output, node)
    folder.write_status("running", **this_host())
    return folder


def test_the_only_running_run_is_asked(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "Old").write_status("done")
    folder = running(tmp_path, "WanLoRATrainer")
    assert main(["stop", "--output", str(tmp_path)]) == 0
    assert folder.stop_request.exists()


def test_of_several_one_is_named(tmp_path: Path) -> None:
    first, second = running(tmp_path, "WanLoRATrainer"), running(tmp_path, "FramePackLoRATrainer")
    with fails("run-ambiguous", first.path.name, second.path.name):
        stop_run(tmp_path, "")
    assert main(["stop", "Wan", "--output", str(tmp_path)]) == 0
    assert first.stop_request.exists() and not second.stop_request.exists()


def test_nothing_to_stop_is_said(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "WanLoRATrainer").write_status("done")
    with fails("run-not-running"):
        stop_run(tmp_path, "")


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "..\\x", "gone", "a\0b", "x" * 300])
def test_a_name_from_the_page_never_leaves_the_run_folders(tmp_path: Path, name: str) -> None:
    running(tmp_path, "WanLoRATrainer")
    with fails("run-missing"):
        run_named(tmp_path, name)
