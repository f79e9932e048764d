"""The accelerate stand-in: its notice, its process tree and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from musubi_nodes_miniature import CHECKOUT

Run = Callable[..., object]
LAUNCH = [sys.executable, "-m", "accelerate.commands.launch"]


def test_notice_about_counts(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import sys; print(sys.argv[1:])", "utf-8")
    done = subprocess.run(
        [*LAUNCH, "--num_machines", "1", "--cpu", str(tmp_path / "s.py"), "--x", "1"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "['--x', '1']\n")
    assert done.stderr.splitlines() == [
        "The following values were not passed to `accelerate launch` and had defaults used instead:",
        "\t`--num_processes` was set to a value of `1`",
        "\t`--mixed_precision` was set to a value of `'no'`",
        "\t`--dynamo_backend` was set to a value of `'no'`",
        "To avoid this warning pass in values for each of the problematic parameters or run `accelerate config`.",
    ]


def test_failure_ends_with_the_launchers_traceback(train: Run) -> None:
    done = train("--bogus", launch=True)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert not done.stderr.startswith("The following values")
    assert re.fullmatch(
        r"subprocess\.CalledProcessError: Command '\[.*wan_train_network\.py.*'--bogus'\]' returned non-zero exit"
        r" status 2\.",
        lines[-1],
    )
    assert "wan_train_network.py: error: unrecognized arguments: --bogus" in lines


def test_success(train: Run) -> None:
    done = train(launch=True)
    assert done.returncode == 0 and "model saved." in done.stderr


@pytest.fixture
def stalled(
    cached: Path, models: dict[str, Path], environment: dict[str, str], tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A training that waits for ever because of a truncated cache, with two workers."""
    for path in (tmp_path / "cache").glob("*0064_wan.safetensors"):
        path.write_bytes(path.read_bytes()[:-100])
    counts = ("--num_processes=1", "--num_machines=1", "--dynamo_backend=no", "--mixed_precision=bf16")
    options = ("--sdpa", "--mixed_precision", "bf16", "--optimizer_type", "AdamW", "--max_data_loader_n_workers", "2")
    command = [*LAUNCH, *counts, str(CHECKOUT / "src" / "musubi_tuner" / "wan_train_network.py"), *options]
    command += ["--network_module", "networks.lora_wan", "--dataset_config", str(cached)]
    command += ["--dit", str(models["wan_t2v_14b"])]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 20
    while b"PicklingError" not in (tmp_path / "log").read_bytes():
        assert time.monotonic() < deadline and process.poll() is None, (tmp_path / "log").read_text("utf-8")
        time.sleep(0.05)
    yield process
    for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
        child.kill()
    process.kill()
    process.wait()


def test_process_tree(stalled: subprocess.Popen[bytes]) -> None:
    (trainer,) = psutil.Process(stalled.pid).children()
    assert "wan_train_network.py" in " ".join(trainer.cmdline())
    assert len(trainer.children()) == min(2, os.cpu_count() or 1)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_the_launchers_death_orphans_the_trainer_and_the_group_ends_all(stalled: subprocess.Popen[bytes]) -> None:
    (trainer,) = psutil.Process(stalled.pid).children()
    workers = trainer.children()
    assert os.getpgid(trainer.pid) == os.getpgid(stalled.pid) == stalled.pid
    stalled.terminate()
    assert stalled.wait(10) == -signal.SIGTERM
    time.sleep(0.2)
    assert trainer.is_running() and trainer.status() != psutil.STATUS_ZOMBIE
    os.killpg(stalled.pid, signal.SIGTERM)
    assert not psutil.wait_procs([trainer, *workers], timeout=5)[1]


def test_workers_end_with_the_trainer(stalled: subprocess.Popen[bytes]) -> None:
    (trainer,) = psutil.Process(stalled.pid).children()
    workers = trainer.children()
    trainer.kill()
    assert not psutil.wait_procs(workers, timeout=5)[1]
    assert stalled.wait(10) == 1
