"""The doctor ends with findings, whatever the install's Python does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from musubi_nodes.hosts.terminal import doctor
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
