"""What the server's configuration and the device choice do to a run: secrets, options, GPUs, accelerate's counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.commands.ownership import RUNNER
from musubi_nodes.config import load_config
from musubi_nodes.errors import MusubiError
from musubi_nodes.plugins.manager import plugins
from musubi_nodes_miniature import CHECKOUT

KEY = "wandb-key-0123456789"
TELL = """
import json, os, sys
with open(os.environ["TOLD"], "a") as file:
    file.write(json.dumps([sys.orig_argv, dict(os.environ)]) + "\\n")
"""
"""What each Python of a configured install does at its start (sitecustomize.py)."""

Server = Callable[..., Any]


@pytest.fixture
def server(place: Any, musubi_surroundings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The workplace with a config.toml: the miniature as an install of its own, ``lines`` in front of it."""
    models = place.services.install().models

    def configured(lines: str = "", cpu: bool = True) -> Any:
        (tmp_path / "sitecustomize.py").write_text(TELL, "utf-8")
        environment = {"PYTHONPATH": str(tmp_path), "TOLD": str(tmp_path / "told.jsonl")}
        folders = "\n".join(f"{kind} = [{json.dumps(str(folder.parent))}]" for kind, folder in models.items())
        (musubi_surroundings / "config.toml").write_text(
            f"{lines}\n[installs.own]\nroot = {json.dumps(str(CHECKOUT))}\ncpu = {str(cpu).lower()}\n"
            f"python = {json.dumps(str(place.services.install().python))}\n"
            f"[installs.own.environment]\nPYTHONPATH = {json.dumps(environment['PYTHONPATH'])}\n"
            f"TOLD = {json.dumps(environment['TOLD'])}\n[models]\n{folders}\n",
            "utf-8",
        )
        monkeypatch.setenv("MUSUBI_NODES_INSTALL", "own")
        load_config.cache_clear()
        plugins.cache_clear()
        own = type(place)(tmp_path)
        own.named = {name: f"{_kind(models, file)}/{Path(file).name}" for name, file in dict(MODELS).items()}
        return own

    return configured


MODELS = {
    "dit": "wan_t2v_14b.safetensors",
    "vae": "wan_vae.safetensors",
    "t5": "umt5_xxl.safetensors",
}


def _kind(models: Any, file: str) -> str:
    return next(folder.name for folder in models.values() if (folder / file).is_file())


def caches(place: Any, **values: Any) -> Any:
    return place.caches(models=place.models(**place.named), **values)


def told(place: Any, script: str) -> list[dict[str, str]]:
    """The environments of the processes that ran ``script``."""
    lines = (place.folder / "told.jsonl").read_text("utf-8").splitlines()
    return [environment for words, environment in map(json.loads, lines) if any(script in word for word in words)]


def test_a_secret_reaches_the_script_and_no_file(server: Server) -> None:
    place = server(f"[secrets]\nWANDB_API_KEY = '{KEY}'")
    place.train(caches(place))
    for script in ("accelerate.commands.launch", "wan_train_network.py"):
        environments = [seen for seen in told(place, script) if "MUSUBI_NODES_RUN" in seen]
        assert environments and all(seen["WANDB_API_KEY"] == KEY for seen in environments), script
    written = [path for path in (place.folder / "output").rglob("*") if path.is_file()]
    assert len(written) > 20 and not [path for path in written if KEY.encode() in path.read_bytes()]


def test_models_of_the_host_are_released_before_a_gpu_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    place = server(cpu=False)
    started: list[int] = []
    monkeypatch.setattr(place.host, "release_models", lambda: started.append(len(place.started())))
    caches(place, device="cuda:3")
    assert started == [0, 1]
    (seen, *_) = [seen for seen in told(place, "wan_cache_latents.py") if "MUSUBI_NODES_RUN" in seen]
    assert seen["CUDA_VISIBLE_DEVICES"] == "3"


def test_models_of_the_host_stay_where_no_gpu_is_used(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[str] = []
    monkeypatch.setattr(place.host, "release_models", lambda: released.append("released"))
    place.caches()
    place.run("LoRAFormatConverter", lora=place.lora("blocks_0_self_attn_q"))
    assert len(place.started()) == 3 and not released


def test_several_processes_and_machines_are_told_to_accelerate(place: Any) -> None:
    place.train(num_processes=2, num_machines=2, machine_rank=1, main_process_ip="10.0.0.1", main_process_port=29500)
    words = place.command()
    launcher = words[: next(n for n, word in enumerate(words) if word.endswith("wan_train_network.py"))]
    assert launcher[1:3] == ["-m", "accelerate.commands.launch"]
    assert {
        "--num_processes=2",
        "--num_machines=2",
        "--machine_rank=1",
        "--main_process_ip=10.0.0.1",
        "--main_process_port=29500",
        "--multi_gpu",
        "--dynamo_backend=no",
        "--mixed_precision=bf16",
    } <= set(launcher)


def test_one_process_is_told_as_one(place: Any) -> None:
    place.train()
    words = place.command()
    assert {"--num_processes=1", "--num_machines=1", "--machine_rank=0"} <= set(words)
    assert "--multi_gpu" not in words


def test_options_of_the_server_reach_the_trainer(server: Server) -> None:
    place = server("[options]\nhuggingface_repo_id = 'me/loras'\nhuggingface_repo_type = 'model'")
    place.train(caches(place))
    assert {"--huggingface_repo_id=me/loras", "--huggingface_repo_type=model"} <= set(place.command())


def test_options_of_the_server_never_replace_what_the_runner_sets(place: Any) -> None:
    ready = place.caches()
    place.forget()
    options = place.services.config.options
    for name in sorted(RUNNER | {"network_module", "optimizer_type", "resume"}):
        options.clear()
        options[name] = "x"
        with pytest.raises(MusubiError, match=rf"\[options\] of config.toml sets {name}, which the runner sets"):
            place.train(ready)
    options.clear()
    assert not place.started_since()
