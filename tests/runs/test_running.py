from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.environment import child_environment
from musubi_nodes.runs.process.executor import LocalProcess, ProcessSpec, RunningProcess
from musubi_nodes.runs.record.rerun_script import pasted_command
from musubi_nodes.runs.run import Command, run
from musubi_nodes.testing.errors import fails

BARS = """
import sys
for step, loss in ((1, "1.3"), (2, "1.3"), (2, "1.2"), (3, "1.2"), (3, "{last}"), (3, "{last}")):
    sys.stderr.write(f"\\rsteps: 33%|###| {{step}}/3 [00:0{{step}}<00:00, 1.00it/s, avr_loss={{loss}}]")
    sys.stderr.flush()
"""


def rows(path: Path) -> list[dict[str, Any]]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text("utf-8").splitlines()]


def test_a_run_that_ends_well_is_done(runs: Any) -> None:
    outcome = runs(BARS.format(last="1.1"))
    assert (outcome.last.current, outcome.last.loss) == (3, 1.1)
    assert runs.folder.status()["status"] == "done"
    assert [now.current for now in runs.watcher.seen] == [1, 2, 2, 3, 3]


def test_metrics_hold_each_step_with_the_loss_of_its_last_update(runs: Any) -> None:
    runs(BARS.format(last="1.1"))
    assert [(row["step"], row["average"]) for row in rows(runs.folder.metrics)] == [(1, 1.3), (2, 1.2), (3, 1.1)]


def test_a_loss_that_is_not_a_number_is_flagged_and_the_metrics_stay_json(runs: Any) -> None:
    runs(BARS.format(last="nan"))
    assert [row["average"] for row in rows(runs.folder.metrics)] == [1.3, 1.2, None]


def test_a_run_may_print_nothing(runs: Any) -> None:
    outcome = runs("pass")
    assert outcome.last.stage == "starting"
    assert runs.folder.log.read_bytes() == b""


@pytest.mark.parametrize("code", [1, 3, 255])
def test_an_exit_code_is_a_failure_that_names_it(runs: Any, code: int) -> None:
    with fails("script-failed", "script.py", code, "the last line") as caught:
        runs(f"import sys; print('the last line'); sys.exit({code})")
    assert caught.value.log == runs.folder.log
    status = runs.folder.status()
    assert (status["status"], status["code"]) == ("failed", "script-failed")
    assert status["error"] == str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_script_that_was_killed_says_by_what(runs: Any) -> None:
    with fails("script-killed", "script.py", "SIGKILL"):
        runs("import os; os.kill(os.getpid(), 9)")


def test_the_log_holds_every_byte(runs: Any) -> None:
    data = random.Random(7).randbytes(3_000_000)
    source = runs.tmp_path / "data"
    source.write_bytes(data)
    runs(f"import sys; sys.stdout.buffer.write(open({str(source)!r}, 'rb').read())")
    assert runs.folder.log.read_bytes() == data


def test_both_streams_are_in_the_log(runs: Any) -> None:
    runs("import sys; print('to stdout'); print('to stderr', file=sys.stderr)")
    log = runs.folder.log.read_text()
    assert "to stdout" in log and "to stderr" in log


def test_the_script_reads_an_empty_stdin(runs: Any) -> None:
    runs("import sys; print(repr(sys.stdin.read()))")
    assert runs.folder.log.read_text().strip() == "''"


SECRET = {"WANDB_API_KEY": "wandb-0123456789", "HTTPS_PROXY": "http://me:password-0123@proxy"}


def test_the_command_file_holds_the_whole_environment_but_for_secrets(runs: Any) -> None:
    plain = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1"}
    runs("pass", environment={**plain, **SECRET, "COMET": "secret-0123456789"}, secrets=["COMET"])
    written = json.loads((runs.folder.path / "command.json").read_text("utf-8"))
    assert written["command"][1:] == [str(runs.tmp_path / "script.py")]
    assert (written["cwd"], written["environment"]) == (str(runs.tmp_path), plain)
    assert written["from_shell"] == ["COMET", "HTTPS_PROXY", "WANDB_API_KEY"]


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
@pytest.mark.parametrize("way", ["script", "sh", "bash"])
def test_a_command_that_is_run_again_gets_the_same_words_folder_and_environment(runs: Any, way: str) -> None:
    odd = ["", "a b", "it's", '"$HOME"', "学習", "two\nlines", "--x=*", "a!b", "’"]
    path = runs.script("import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]))")
    environment = {"ODD": "$(date) 'x'\ny=z", "PYTHONUTF8": "1", "PATH": os.environ["PATH"], **SECRET}
    runs([sys.executable, str(path), *odd], environment=environment)
    script = str(runs.folder.path / "command.sh")
    command = [script] if way == "script" else [way, "-c", pasted_command(runs.folder)]
    shell = {"PATH": os.environ["PATH"], "OTHER": "x\nPYTHONHOME=/y", "PYTHONHOME": "/x", "a.b": "c", **SECRET}
    again = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", env=shell)
    words, folder, seen = json.loads(again.stdout)
    assert (words, folder) == (odd, str(runs.tmp_path))
    assert {name: value for name, value in seen.items() if name not in OF_SHELLS} == environment


OF_SHELLS = {"PWD", "OLDPWD", "SHLVL", "_", "a.b", "LC_CTYPE"}
"""What a shell sets itself; a name that no shell can unset; what Python adds where no language is set."""


def test_what_belongs_to_the_host_python_does_not_reach_the_child(
    runs: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONSTARTUP", "PYTHONOPTIMIZE"):
        monkeypatch.setenv(name, "/of/the/host")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    install = Install("test", tmp_path, Path(sys.executable), {"PYTHONPATH": "/own", "EXTRA": "yes"})
    environment = child_environment(install, ("1",), {"HF_TOKEN": "hf_1234567890"})
    runs("import json, os; print(json.dumps(dict(os.environ)))", environment=environment)
    seen = json.loads(runs.folder.log.read_text("utf-8"))
    assert "/of/the/host" not in seen.values()
    assert seen["PYTHONPATH"] == os.pathsep.join(["/own", str(tmp_path / "src")])
    assert (seen["EXTRA"], seen["HTTPS_PROXY"], seen["CUDA_VISIBLE_DEVICES"]) == ("yes", "http://proxy", "1")
    assert (seen["PYTHONUTF8"], seen["PYTHONUNBUFFERED"]) == ("1", "1")


def test_a_process_sees_the_gpus_that_it_was_given_whatever_the_install_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    install = Install("test", tmp_path, Path(sys.executable), {"CUDA_VISIBLE_DEVICES": "5,6"})
    assert child_environment(install, ())["CUDA_VISIBLE_DEVICES"] == ""
    assert child_environment(install, ("5", "6"))["CUDA_VISIBLE_DEVICES"] == "5,6"
    assert child_environment(Install("test", tmp_path, Path(sys.executable)))["CUDA_VISIBLE_DEVICES"] == "3"


class Unguarded:
    """An executor as a plugin might write it: it does not find what a script leaves behind."""

    name = "unguarded"

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.streams: dict[str, Any] = {}

    def start(self, spec: ProcessSpec) -> Unguarded:
        self.process = subprocess.Popen(list(spec.command), stdout=subprocess.PIPE, env=dict(spec.environment))
        self.streams = {"stdout": self.process.stdout}
        return self

    def returncode(self) -> int | None:
        return self.process.poll() if self.process else None

    def stop(self) -> None:
        if self.process:
            self.process.kill()

    kill = stop


class Untidy(LocalProcess):
    """An executor whose clean-up fails."""

    def start(self, spec: ProcessSpec) -> RunningProcess:
        process = super().start(spec)
        kill = process.kill

        def fail() -> None:
            kill()
            raise RuntimeError("the queue of the cluster does not answer")

        process.kill = fail  # type: ignore[method-assign]
        return process


@pytest.mark.parametrize(("code", "status"), [(0, "done"), (3, "failed")])
def test_a_clean_up_that_fails_changes_no_result(
    runs: Any, caplog: pytest.LogCaptureFixture, code: int, status: str
) -> None:
    argv = [sys.executable, "-c", f"raise SystemExit({code})"]
    command = Command("script.py", argv, runs.tmp_path, dict(os.environ))
    with contextlib.nullcontext() if code == 0 else fails("script-failed", code):
        run(command, runs.folder, Untidy(), runs.watcher)
    assert runs.folder.status()["status"] == status
    assert "does not answer" in caplog.text


@pytest.mark.parametrize("talkative", [False, True])
def test_a_process_that_keeps_the_output_open_does_not_hold_the_run(runs: Any, talkative: bool) -> None:
    told = runs.tmp_path / "pid"
    left = "while True: print('still here', flush=True); time.sleep(0.01)" if talkative else "time.sleep(600)"
    path = runs.script(f"""
        import subprocess, sys
        process = subprocess.Popen([sys.executable, "-c", "import time\\n{left}"])
        open({str(told)!r}, "w").write(str(process.pid))
        print("no line break at the end", end="")
    """)
    command = Command("script.py", [sys.executable, str(path)], runs.tmp_path, dict(os.environ))
    try:
        run(command, runs.folder, Unguarded(), runs.watcher)
        assert b"no line break at the end" in runs.folder.log.read_bytes()
        assert runs.folder.status()["status"] == "done"
    finally:
        psutil.Process(int(told.read_text())).kill()


@pytest.mark.parametrize("what", ["interpreter", "folder"])
def test_a_command_that_cannot_be_started_is_a_clear_error(runs: Any, what: str) -> None:
    missing = str(runs.tmp_path / "missing")
    argv = [missing if what == "interpreter" else sys.executable, "-c", "pass"]
    cwd = Path(missing) if what == "folder" else runs.tmp_path
    with fails("script-not-started", missing, "config.toml"):
        runs(argv, cwd=cwd)
    assert runs.folder.status()["status"] == "failed"


def test_no_module_of_the_runner_hides_one_of_python() -> None:
    """The guard is started as a script, so its folder is on the path while it imports."""
    from musubi_nodes.runs.process import guard

    names = {path.stem for path in Path(guard.__file__).parent.glob("*.py")}
    assert not names & set(sys.stdlib_module_names)
