"""The doctor ends with findings, whatever the install's Python does."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.commands.tables import scripts
from musubi_nodes.config import config_file, load_config
from musubi_nodes.hosts.terminal import doctor
from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.hosts.terminal.demo import run_demo
from musubi_nodes.hosts.terminal.findings import Finding, report
from musubi_nodes.hosts.terminal.script_counts import counted
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.probe import ask_python
from musubi_nodes.testing.errors import fails


@pytest.fixture
def install(tmp_path: Path) -> Install:
    return Install("real", tmp_path, Path(sys.executable), environment={})


def torch(install: Install, code: str) -> None:
    (install.root / "torch.py").write_text(code, "utf-8")  # the working folder is looked into first


def test_a_torch_that_hangs_is_a_fault_and_no_traceback(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    torch(install, "import time; time.sleep(60)")
    monkeypatch.setattr(doctor, "TORCH_SECONDS", 0.5)
    (found,) = doctor._environment("install", install, [])
    assert (found.mark, found.code) == ("fault", "torch-unusable") and "0.5" in found.text and found.fix


def test_a_torch_that_ends_without_a_word_is_a_fault(install: Install) -> None:
    torch(install, "import os; os._exit(3)")
    (found,) = doctor._environment("install", install, [])
    assert (found.mark, found.code) == ("fault", "torch-unusable") and "3" in found.text and found.fix


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


def examined(capsys: pytest.CaptureFixture[str], folder: Path, config: str = "") -> tuple[int, list[Any]]:
    """The doctor's exit code, and its faults as a program reads them."""
    if config:
        config_file().write_text(config.replace("'/", f"'{DRIVE}/"), "utf-8")
    load_config.cache_clear()
    plugins.cache_clear()
    code = main(["doctor", "--json", "--output", str(folder)])
    found = json.loads(capsys.readouterr().out)
    return code, [each for each in found if each["mark"] == "fault"]


MINIATURE = 'install = "miniature"\n'
DRIVE = "C:" if os.name == "nt" else ""
"""Without it a path is none of its own on Windows."""


@pytest.mark.parametrize(
    ("config", "code", "values"),
    [
        ("comfyui = '/nope'", "folder-missing", ["comfyui", "/nope"]),
        ("read_roots = ['/nope']", "folder-missing", ["read_roots", "/nope"]),
        ("[models]\nvae = ['/nope']", "folder-missing", ["models.vae", "/nope"]),
        ("[models]\ndiffusion_model = ['/']", "model-kind-unknown", ["'diffusion_model'", "'diffusion_models'"]),
        ("executor = 'slurm'", "executor-unknown", ["'slurm'"]),
        ("plugins_off = ['wann']", "plugin-unknown", ["plugins_off", "'wann'", "'wan'"]),
    ],
)
def test_what_the_configuration_names_and_is_not_there_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: str, code: str, values: list[str]
) -> None:
    ended, (fault,) = examined(capsys, tmp_path, MINIATURE + config)
    assert ended == 1 and fault["code"] == code and fault["fix"]
    assert not [value for value in values if value.replace("/nope", str(Path(DRIVE, "/nope"))) not in fault["text"]]


def test_a_good_configuration_has_no_fault_and_the_model_folders_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "vae").mkdir()
    config_file().write_text(f"{MINIATURE}[models]\nvae = ['{tmp_path / 'vae'}']", "utf-8")
    assert main(["doctor", "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    lines = [line.split() for line in said.splitlines()]
    first = lines.index(["models,", "vae", str(tmp_path / "vae"), "(0", "files)"])
    assert lines[first + 1] == [str(tmp_path / "models" / "vae"), "(not", "there)"]
    assert ["executor", "local"] in lines and examined(capsys, tmp_path) == (0, [])


def test_a_wrong_root_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (fault,) = examined(capsys, tmp_path, "[installs.main]\nroot = '/nope'")[1]
    assert fault["code"] == "install-folder-missing"


def test_a_configuration_that_was_named_and_is_not_there_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")
    (fault,) = examined(capsys, tmp_path)[1]
    assert fault["code"] == "file-missing" and str(config_file()) in fault["text"]


def test_a_tag_that_says_0_1_0_is_told_as_what_it_is(install: Install) -> None:
    (install.root / "pyproject.toml").write_text('[project]\nversion = "0.1.0"', "utf-8")
    assert (install.version, install.release) == ("0.1.0", "before 0.2.10")


def test_an_executor_that_is_not_there_is_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config_file().write_text(f"{MINIATURE}executor = 'slurm'\n[models]\nvaes = ['/']", "utf-8")
    with fails("executor-unknown", 3, "'slurm'"):
        run_demo(tmp_path, "miniature")
    assert "'vaes'" in capsys.readouterr().err
    assert not (tmp_path / "musubi").exists()


def test_a_configuration_that_cannot_be_read_is_the_only_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, (fault,) = examined(capsys, tmp_path, "install = [")
    assert code == 1 and fault["code"] == "toml-invalid"


def test_faults_come_first_each_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file().write_text(f"{MINIATURE}executor = 'slurm'\ncomfyui = '{DRIVE}/nope'", "utf-8")
    assert main(["doctor", "--output", str(tmp_path)]) == 1
    counts, *lines = capsys.readouterr().out.splitlines()
    faults = [number for number, line in enumerate(lines) if line.startswith("!!")]
    assert counts == f"{len(faults)} faults, 5 warnings" == "2 faults, 5 warnings"  # families that it has no scripts of
    assert max(faults) < min(number for number, line in enumerate(lines) if line.startswith("musubi-nodes "))
    assert sum(line.startswith("   Fix: ") for line in lines) == len(faults) + 5


def test_what_is_found_stands_in_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config_file().write_text(MINIATURE, "utf-8")
    assert main(["doctor", "--output", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    lines = lines[next(number for number, line in enumerate(lines) if line.startswith("musubi-nodes ")) :]
    begin = lines[0].index("0.1.0")
    assert all(line[begin - 2 : begin] == "  " and line[begin] != " " for line in lines)
    assert "20 scripts: FramePack 4, HunyuanVideo 4, LoRA tools 3, Wan 4, Z-Image 5" in lines[-2]


def test_all_scripts_of_a_release_are_counted_by_family() -> None:
    names, nodes = list(scripts()), plugins().nodes
    told = counted(names, nodes)
    numbers = {name.rpartition(" ")[0]: int(name.rpartition(" ")[2]) for name in told.split(", ")}
    assert sum(numbers.values()) == len(names) == 58
    assert (numbers["HunyuanVideo"], numbers["Qwen-Image"], numbers["Z-Image"]) == (5, 6, 5) and numbers["others"] <= 3
    first = ["FLUX.2", "FLUX.1 Kontext", "FramePack", "HunyuanVideo"]
    assert list(numbers)[:4] == first and list(numbers)[-1] == "others"


def test_a_script_that_an_old_release_lacks_is_a_warning(install: Install) -> None:
    """Its nodes cannot run; everything else can."""
    folder = install.root / "src" / "musubi_tuner"
    folder.mkdir(parents=True)
    for script in scripts():
        if script != "fpack_train_network.py":
            (folder / script).write_text("print('--help')", "utf-8")
    found = list(doctor._scripts("install", install, plugins()))
    (warning,) = [each for each in found if each.mark == "warning"]
    assert warning.code == "script-missing" and "fpack_train_network.py" in warning.text and warning.fix


@pytest.mark.parametrize(("version", "warned"), [("0.3.4", 0), ("0.2.0", 0), ("0.1.0", 0), ("9.9.9", 1), ("x", 1)])
def test_a_release_that_was_not_tried_is_a_warning(install: Install, version: str, warned: int) -> None:
    (install.root / "pyproject.toml").write_text(f'[project]\nversion = "{version}"', "utf-8")
    codes = [found.code for found in doctor._warnings("install", install, has_tensorboard=False)]
    assert codes == ["version-untried"] * warned + ["tensorboard-missing"]
    assert len(list(doctor._warnings("install", install, has_tensorboard=True))) == warned


def test_warnings_are_no_faults() -> None:
    lines = list(report([Finding("a", "is odd", "warning", "odd", "Look."), Finding("b", "is well")]))
    assert lines == ["no fault found, 1 warning", "", " ! a: is odd", "   Fix: Look.", "", "b  is well"]
