"""What a node shows, and the cause and remedy of an error, come in the language of ComfyUI's page."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.node import Node
from musubi_nodes.hosts.comfyui.language import in_the_users_language
from musubi_nodes.hosts.comfyui.start import classes


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which ComfyUI keeps what its only user has chosen."""
    monkeypatch.setitem(sys.modules, "folder_paths", SimpleNamespace(get_user_directory=lambda: str(tmp_path)))
    file = tmp_path / "default" / "comfy.settings.json"
    file.parent.mkdir()
    return file


def told() -> str:
    def run() -> Any:
        raise MusubiError(
            "disk-full", "it failed", why="The disk is full.", fix="Nobody has translated this.", log=Path("log.txt")
        )

    with pytest.raises(MusubiError) as caught:
        in_the_users_language(Node)(run)()
    return str(caught.value)


def test_what_is_translated_is_told_in_japanese(settings: Path) -> None:
    settings.write_text('{"Comfy.Locale": "ja"}', "utf-8")
    assert told() == ("it failed\n原因: ディスクがいっぱいです。\n対処: Nobody has translated this.\nログ: log.txt")


@pytest.mark.parametrize("kept", ['{"Comfy.Locale": "fr"}', "{}", "no JSON", None])
def test_everything_else_is_told_in_english(settings: Path, kept: str | None) -> None:
    if kept is not None:
        settings.write_text(kept, "utf-8")
    assert told().startswith("it failed\nWhy: The disk is full.\nFix: ")


@pytest.fixture
def running(settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The modules of ComfyUI that a node looks at."""
    sys.modules["folder_paths"].get_output_directory = lambda: str(tmp_path)  # type: ignore[attr-defined]
    args = SimpleNamespace(disable_metadata=True, listen="127.0.0.1")
    modules = {
        "server": SimpleNamespace(PromptServer=SimpleNamespace(instance=None)),
        "comfy": SimpleNamespace(__path__=[]),
        "comfy.cli_args": SimpleNamespace(args=args),
        "comfy.model_management": SimpleNamespace(throw_exception_if_processing_interrupted=lambda: None),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("called", ["VALIDATE_INPUTS", "execute"])
def test_the_classes_that_comfyui_gets_tell_it_in_japanese(settings: Path, called: str) -> None:
    settings.write_text('{"Comfy.Locale": "ja"}', "utf-8")
    monitor: Any = classes()[0]["MusubiTuner_TrainingMonitor"]()
    with pytest.raises(MusubiError, match="there is no run 'gone'\n対処: "):
        answer = getattr(monitor, called)(name="gone")
        asyncio.run(answer)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(("language", "said"), [("ja", "約 "), ("en", "about ")])
def test_what_a_node_shows_is_told_in_it(settings: Path, language: str, said: str) -> None:
    settings.write_text(json.dumps({"Comfy.Locale": language}), "utf-8")
    optimizer: Any = classes()[0]["MusubiTuner_MemoryOptimizer"]()
    _, report = optimizer.execute(family="wan", mode="24 GB")["result"]
    assert report.startswith(said)
