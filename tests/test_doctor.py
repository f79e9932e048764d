"""The doctor ends with findings, whatever the install's Python does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from musubi_nodes.config import config_file, load_config
from musubi_nodes.hosts.terminal import doctor
from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.asking import ask_python


@pytest.fixture
def install(tmp_path: Path) -> Install:
    return Install("real", tmp_path, Path(sys.executable), environment={})


def torch(install: Install, code: str) -> None:
    (install.root / "torch.py").write_text(code, "utf-8")  # the working folder is looked into first


def test_a_torch_that_hangs_is_a_fault_and_no_traceback(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    torch(install, "import time; time.sleep(60)")
    monkeypatch.setattr(doctor, "TORCH_SECONDS", 0.5)
    ((mark, text),) = doctor._environment(install, [])
    assert mark == "fault" and "no answer within 0.5 s" in text


def test_a_torch_that_ends_without_a_word_is_a_fault(install: Install) -> None:
    torch(install, "import os; os._exit(3)")
    ((mark, text),) = doctor._environment(install, [])
    assert mark == "fault" and "it ended with code 3" in text


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("print('noise'); print('{\"a\": 1}')", ""),
        ("raise ImportError('no driver')", "ImportError: no driver"),
        ("print('no JSON')", "JSONDecodeError"),
        ("pass", "it printed nothing"),
        ("import time; time.sleep(60)", "no answer"),
    ],
)
def test_an_answer_is_json_or_a_reason(install: Install, code: str, why: str) -> None:
    answer = ask_python(install, code, 5.0 if "sleep" not in code else 0.5)
    assert answer.found == ({} if why else {"a": 1}) and why in answer.why and bool(answer.why) == bool(why)


def test_a_python_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    answer = ask_python(Install("gone", tmp_path, tmp_path / "python", environment={}), "pass", 5.0)
    assert not answer.found and "FileNotFoundError" in answer.why


def examined(capsys: pytest.CaptureFixture[str], folder: Path, config: str = "") -> tuple[int, list[str]]:
    """The doctor's exit code, and its faults."""
    if config:
        config_file().write_text(config, "utf-8")
    load_config.cache_clear()
    plugins.cache_clear()
    code = main(["doctor", "--output", str(folder)])
    said = capsys.readouterr().out
    return code, [line for line in said.splitlines() if line.startswith("!!")]


MINIATURE = 'install = "miniature"\n'


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ("comfyui = '/nope'", "comfyui: there is no folder /nope"),
        ("read_roots = ['/nope']", "read_roots: there is no folder /nope"),
        ("[models]\nvae = ['/nope']", "models.vae: there is no folder /nope"),
        ("[models]\ndiffusion_model = ['/']", "no node asks for 'diffusion_model' (did you mean 'diffusion_models'?)"),
        ("executor = 'slurm'", "there is no executor 'slurm'"),
        ("plugins_off = ['wann']", "plugins_off: there is no plugin 'wann' (did you mean 'wan'?)"),
    ],
)
def test_what_the_configuration_names_and_is_not_there_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: str, fault: str
) -> None:
    code, faults = examined(capsys, tmp_path, MINIATURE + config)
    assert code == 1 and len(faults) == 1 and fault in faults[0]


def test_a_good_configuration_has_no_fault_and_the_model_folders_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "vae").mkdir()
    config_file().write_text(f"{MINIATURE}[models]\nvae = ['{tmp_path / 'vae'}']", "utf-8")
    assert main(["doctor", "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"models, vae: {tmp_path / 'vae'}, {tmp_path / 'models' / 'vae'}\n" in said
    assert "models, clip_vision:" in said and "executor: local" in said and "no fault found" in said


def test_a_wrong_root_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(examined(capsys, tmp_path, "[installs.main]\nroot = '/nope'")[1]) == 1


def test_a_configuration_that_was_named_and_is_not_there_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")
    (fault,) = examined(capsys, tmp_path)[1]
    assert "correct MUSUBI_NODES_CONFIG" in fault


def test_a_tag_that_says_0_1_0_is_told_as_what_it_is(install: Install) -> None:
    (install.root / "pyproject.toml").write_text('[project]\nversion = "0.1.0"', "utf-8")
    assert (install.version, install.release) == ("0.1.0", "before 0.2.10")


def test_an_executor_that_is_not_there_is_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config_file().write_text(f"{MINIATURE}executor = 'slurm'\n[models]\nvaes = ['/']", "utf-8")
    assert main(["demo", "--output", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "node 3: there is no executor 'slurm'" in said and "no node asks for 'vaes'" in said
    assert not (tmp_path / "musubi").exists()
