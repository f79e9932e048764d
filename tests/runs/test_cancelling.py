from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.process import executor
from musubi_nodes.testing.errors import fails

PROMISE = 2.0
"""Seconds within which a whole tree is gone."""

HOST = """
import os, sys, threading, time
from pathlib import Path
from musubi_nodes.runs.process.executor import LocalProcess
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.run import Command, run

class Watching:
    def progress(self, now): pass
    def raise_if_interrupted(self): pass

{before}
folder = RunFolder(Path(sys.argv[1]))
run(Command("script.py", sys.argv[2:], folder.path, dict(os.environ)), folder, LocalProcess(), Watching())
"""

pytestmark = pytest.mark.skipif(
    sys.platform not in ("linux", "win32"), reason="a daemon is found everywhere on Linux, and by a job on Windows"
)
posix = pytest.mark.skipif(os.name == "nt", reason="forks and signals")
SIGNALS = ["SIGINT", "SIGTERM", "SIGKILL", "SIGHUP"] if os.name != "nt" else ["SIGTERM"]
"""By which a host ends; Windows has one way to end another program."""


class Stop(Exception):
    pass


def start_host(runs: Any, tree: Any, environment: dict[str, str], before: str = "") -> subprocess.Popen[str]:
    script = runs.tmp_path / "host.py"
    script.write_text(HOST.format(before=before), encoding="utf-8")
    command = [sys.executable, str(script), str(runs.folder.path), *tree.command]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "error", [Stop("the user said so"), KeyboardInterrupt(), OSError("the host's own"), MusubiError("given-up", "x")]
)
def test_an_interrupt_ends_the_whole_tree_and_comes_out_itself(
    runs: Any, tree: Any, until: Callable[..., bool], error: BaseException
) -> None:
    with pytest.raises(type(error)) as caught:
        runs(tree.command, interrupt=lambda: error if tree.ready() else None)
    assert caught.value is error
    assert tree.processes() == []
    assert runs.folder.status()["status"] == "cancelled"


def test_progress_may_interrupt_as_well(runs: Any) -> None:
    class Interrupting:
        def progress(self, now: object) -> None:
            raise stop

        def raise_if_interrupted(self) -> None:
            pass

    from musubi_nodes.runs.process.executor import LocalProcess
    from musubi_nodes.runs.run import Command, run

    stop = Stop()
    path = runs.script("print('epoch 1/3', flush=True); import time; time.sleep(600)")
    command = Command("script.py", [sys.executable, str(path)], runs.tmp_path, dict(os.environ))
    with pytest.raises(Stop) as caught:
        run(command, runs.folder, LocalProcess(), Interrupting())
    assert caught.value is stop
    assert runs.folder.status()["status"] == "cancelled"


def test_an_interrupt_before_the_start_starts_nothing(runs: Any) -> None:
    marker = runs.tmp_path / "started"
    with pytest.raises(Stop):
        runs(f"open({str(marker)!r}, 'w')", interrupt=lambda: Stop())
    assert not marker.exists()
    assert runs.folder.status()["status"] == "cancelled"


@pytest.mark.parametrize("name", SIGNALS)
def test_when_the_host_ends_in_any_way_the_tree_ends(
    runs: Any, tree: Any, until: Callable[..., bool], host_environment: dict[str, str], name: str
) -> None:
    import signal

    host = start_host(runs, tree, host_environment)
    assert until(tree.ready)
    host.send_signal(getattr(signal, name))
    assert until(lambda: not tree.processes(), PROMISE)
    host.communicate(timeout=10)
    assert runs.folder.status()["status"] == ("cancelled" if name == "SIGINT" else "failed")


@posix
def test_a_process_that_the_host_forked_does_not_keep_the_tree_alive(
    runs: Any, tree: Any, until: Callable[..., bool], host_environment: dict[str, str]
) -> None:
    """Such a process inherits the pipe by which the guard notices the end of its host."""
    before = """
def fork():
    while not Path(sys.argv[1], "process.json").exists():
        time.sleep(0.01)
    if os.fork() == 0:
        time.sleep(60)
threading.Thread(target=fork, daemon=True).start()
"""
    host = start_host(runs, tree, host_environment, before)
    assert until(tree.ready)
    forked = psutil.Process(host.pid).children()
    host.kill()
    try:
        assert until(lambda: not [p for p in tree.processes() if p not in forked], PROMISE + 0.5)
    finally:
        for process in forked:
            process.kill()
        host.communicate(timeout=10)


def test_a_killed_guard_leaves_nothing_and_one_clear_error(runs: Any, tree: Any, until: Callable[..., bool]) -> None:
    killed: list[int] = []

    def kill_guard() -> None:
        if tree.ready() and not killed:
            guard = tree.guard()
            killed.append(guard.pid)
            guard.kill()

    with fails("guard-killed"):
        runs(tree.command, interrupt=kill_guard)
    assert killed and tree.processes() == []
    assert runs.folder.status()["status"] == "failed"


@posix
def test_a_guard_that_is_asked_to_end_ends_the_tree_first(runs: Any, tree: Any) -> None:
    asked: list[int] = []

    def ask_guard() -> None:
        if tree.ready() and not asked:
            asked.append(tree.guard().pid)
            tree.guard().terminate()

    with fails("script-ended-from-outside", "SIGTERM"):
        runs(tree.command, interrupt=ask_guard)
    assert tree.processes() == []


def test_a_stopped_guard_does_not_hold_the_host(runs: Any, tree: Any) -> None:
    def freeze() -> BaseException | None:
        if not tree.ready():
            return None
        tree.guard().suspend()
        return Stop()

    with pytest.raises(Stop):
        runs(tree.command, interrupt=freeze)
    assert tree.processes() == []


def test_a_guard_that_is_stopped_before_the_script_ends_is_one_clear_error(
    runs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go on"

    def freeze() -> None:
        if begun.exists() and not go_on.exists():
            psutil.Process(int(begun.read_text())).suspend()
            monkeypatch.setattr(executor, "UNANSWERED", 0.5)
            go_on.touch()

    with fails("guard-unresponsive") as told:
        runs(
            f"""
            import os, time
            with open({str(begun)!r} + ".part", "w") as file:
                file.write(str(os.getppid()))
            os.rename(file.name, {str(begun)!r})
            while not os.path.exists({str(go_on)!r}):
                time.sleep(0.01)
            """,
            interrupt=freeze,
        )
    assert told.value.fix and runs.folder.status()["status"] == "failed"
    assert not psutil.pid_exists(int(begun.read_text()))


def test_a_guard_that_cannot_write_its_record_is_not_taken_for_a_stopped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)"]
    spec = executor.ProcessSpec(command, dict(os.environ), tmp_path, tmp_path / "gone")
    process = executor.LocalProcess().start(spec)
    try:
        assert process.streams["stdout"].readline().strip() == b"begun"
        monkeypatch.setattr(executor, "UNANSWERED", -1)
        assert process.returncode() is None
    finally:
        process.kill()


def test_what_outlives_the_script_is_ended_with_it(runs: Any, tree: Any, until: Callable[..., bool]) -> None:
    daemon = [sys.executable, str(tree.script), "daemon", str(tree.folder), tree.token]
    ready = str(tree.folder / "ready-daemon")
    outcome = runs(f"""
        import os, subprocess, time
        subprocess.run({daemon!r})
        while not os.path.exists({ready!r}):
            time.sleep(0.01)
    """)
    assert tree.processes() == []
    assert outcome.last.stage == "starting"


@posix
def test_dead_orphans_are_collected_while_the_run_goes_on(runs: Any, tmp_path: Path) -> None:
    """A long training must not pile up zombies below the guard."""
    runs("""
        import os, time
        for _ in range(20):
            if os.fork() == 0:
                if os.fork() == 0:
                    os._exit(0)
                os._exit(0)
            os.wait()
        guard, end = os.getppid(), time.time() + 10
        while time.time() < end:
            children = open(f"/proc/{guard}/task/{guard}/children").read().split()
            if len(children) == 1:
                break
            time.sleep(0.02)
        print("children", len(children))
    """)
    assert runs.folder.log.read_text().strip() == "children 1"
