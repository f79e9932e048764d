"""What reaches a command and its environment: secrets, the server's options, GPUs, counts, settings, LoRAs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from musubi_nodes.commands.option_owners import RUNNER
from musubi_nodes.config import load_config
from musubi_nodes.errors import MusubiError
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.testing.errors import fails
from musubi_nodes_miniature import CHECKOUT

KEY, PASS = "wandb-key-0123456789", "comet-pass-0123456789"
TELL = """
import json, os, sys
with open(os.environ["TOLD"], "a") as file:
    file.write(json.dumps([sys.orig_argv, dict(os.environ)]) + "\\n")
"""
"""What each Python of a configured install does at its start (sitecustomize.py)."""

NO_VIDEO = """
import atexit, pathlib, sys
folders = [pathlib.Path(word.split("=", 1)[1]) for word in sys.orig_argv if word.startswith("--save_path=")]
atexit.register(lambda: [file.unlink() for folder in folders for file in folder.glob("*.mp4")])
"""
MODELS = {"dit": "wan_t2v_14b.safetensors", "vae": "wan_vae.safetensors", "t5": "umt5_xxl.safetensors"}

Server = Callable[..., Any]


@pytest.fixture
def server(place: Any, musubi_surroundings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The workplace with a config.toml: the miniature as an install of its own, ``lines`` in front of it.

    ``start`` runs at the start of each of its Pythons, ``variables`` are part of its environment.
    """
    own = place.services.install()

    def configured(lines: str = "", cpu: bool = True, start: str = TELL, **variables: str) -> Any:
        (tmp_path / "sitecustomize.py").write_text(start, "utf-8")
        install = {
            "root": str(CHECKOUT),
            "python": str(own.python),
            "cpu": cpu,
            "environment": {"PYTHONPATH": str(tmp_path), "TOLD": str(tmp_path / "told.jsonl"), **variables},
        }
        described = {"installs": {"own": install}, "models": {k: [str(f.parent)] for k, f in own.models.items()}}
        (musubi_surroundings / "config.toml").write_text(f"{lines}\n{tomlkit.dumps(described)}", "utf-8")
        monkeypatch.setenv("MUSUBI_NODES_INSTALL", "own")
        load_config.cache_clear()
        plugins.cache_clear()
        return type(place)(tmp_path)

    return configured


def models(place: Any) -> Any:
    """The toy models by the names that they have under ``[models]``."""
    folders = [Path(folder) / kind for kind, (folder,) in place.services.config.models.items()]
    return place.models(
        **{name: next(f"{f.name}/{file}" for f in folders if (f / file).is_file()) for name, file in MODELS.items()}
    )


def caches(place: Any, **values: Any) -> Any:
    return place.caches(models=models(place), **values)


def told(place: Any, script: str) -> list[dict[str, str]]:
    """The environments of the processes that ran ``script``."""
    lines = (place.folder / "told.jsonl").read_text("utf-8").splitlines()
    return [environment for words, environment in map(json.loads, lines) if any(script in word for word in words)]


def test_secrets_reach_the_script_and_no_file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSUBI_NODES_CACHE", str(tmp_path / "cache"))
    loud = TELL + "print('logged in with', os.environ.get('WANDB_API_KEY'), os.environ.get('COMET_PASS'))"
    place = server(f"[secrets]\nWANDB_API_KEY = '{KEY}'\nCOMET_PASS = '{PASS}'", start=loud, COMET_PASS="")
    place.train(caches(place))
    for script in ("accelerate.commands.launch", "wan_train_network.py"):
        environments = [seen for seen in told(place, script) if "MUSUBI_NODES_RUN" in seen]
        assert environments and all((seen["WANDB_API_KEY"], seen["COMET_PASS"]) == (KEY, PASS) for seen in environments)
    output, cache = [[p for p in (tmp_path / name).rglob("*") if p.is_file()] for name in ("output", "cache")]
    assert len(output) > 20 and cache
    assert not [p for p in (*output, *cache) for secret in (KEY, PASS) if secret.encode() in p.read_bytes()]


def test_models_of_the_host_are_released_before_a_gpu_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    place = server(cpu=False)
    started: list[int] = []
    monkeypatch.setattr(place.host, "release_models", lambda: started.append(len(place.started())))
    caches(place, device="cuda:3")
    assert started == [0, 1]
    (seen, *_) = [seen for seen in told(place, "wan_cache_latents.py") if "MUSUBI_NODES_RUN" in seen]
    assert seen["CUDA_VISIBLE_DEVICES"] == "3"


def test_a_chosen_gpu_is_used_also_where_an_install_may_do_without(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = server()
    ready, released = caches(place), []
    monkeypatch.setattr(place.host, "release_models", lambda: released.append(len(place.started())))
    place.train(ready, device="cuda:1", num_processes=2)
    assert "--cpu" not in place.command() and released == [2]
    (seen, *_) = [seen for seen in told(place, "wan_train_network.py") if "MUSUBI_NODES_RUN" in seen]
    assert seen["CUDA_VISIBLE_DEVICES"] == "1,2"
    for device in ("auto", "cpu"):
        place.train(ready, device=device, train_again=True)
        assert "--cpu" in place.command() and len(released) == 1


def test_models_of_the_host_stay_where_no_gpu_is_used(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[str] = []
    monkeypatch.setattr(place.host, "release_models", lambda: released.append("released"))
    place.caches()
    place.run("LoRAFormatConverter", lora=place.lora("blocks_0_self_attn_q"))
    assert len(place.started()) == 3 and not released


def test_several_processes_and_machines_are_told_to_accelerate(place: Any) -> None:
    place.services.config = place.services.config.model_copy(update={"machines": ["10.0.0.1"]})
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
        f"--config_file={place.started()[-1] / 'accelerate.json'}",
    } <= set(launcher)
    config = json.loads((place.started()[-1] / "accelerate.json").read_text("utf-8"))
    assert (config["distributed_type"], config["mixed_precision"]) == ("NO", "bf16")


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
    ready = place.prepared()
    place.forget()
    options = place.services.config.options
    for name in sorted(RUNNER | {"network_module", "optimizer_type", "resume"}):
        options.clear()
        options[name] = "x"
        with fails("option-refused", name):
            place.train(ready)
    options.clear()
    assert not place.started_since()


def test_a_secret_among_the_variables_of_an_install_is_in_no_file(server: Server) -> None:
    place = server(HF_TOKEN=KEY)
    caches(place)
    assert told(place, "wan_cache_latents.py")[-1]["HF_TOKEN"] == KEY
    written = [path for path in (place.folder / "output").rglob("*") if path.is_file()]
    assert not [path for path in written if KEY.encode() in path.read_bytes()]


def test_the_8_bit_optimizer_is_taken_where_it_can_be(server: Server) -> None:
    """The package is there by name only, so the command is looked at and the run's end is not."""
    place = server()
    named = place.folder / "bitsandbytes-0.45.dist-info"
    named.mkdir()
    (named / "METADATA").write_text("Metadata-Version: 2.1\nName: bitsandbytes\nVersion: 0.45\n", "utf-8")
    with contextlib.suppress(MusubiError):
        place.train(caches(place))
    assert "--optimizer_type=AdamW8bit" in place.command()


def test_a_video_that_is_missing_beside_its_latent_is_an_error(server: Server) -> None:
    place = server(start=NO_VIDEO)
    with fails("output-missing", "both") as caught:
        place.generate(models=models(place), output_type="both")
    assert caught.value.log and place.started()


def test_settings_win_over_the_familys_defaults(place: Any) -> None:
    sampling = place.settings("SamplingConfig", timestep_sampling="sigma", discrete_flow_shift=2.0)
    place.train(sampling=sampling)
    sent = [word for word in place.command() if word.startswith(("--timestep_sampling", "--discrete_flow_shift"))]
    assert sorted(sent) == ["--discrete_flow_shift=2.0", "--timestep_sampling=sigma"]


def test_loras_below_the_training_keep_their_multipliers(place: Any) -> None:
    first = place.lora("blocks_0_self_attn_q")
    chain = place.run("LoRASelect", lora="lora.safetensors", multiplier=0.5, previous=first).lora
    place.train(base_weights=chain)
    words = place.command()
    assert words[words.index("--base_weights_multiplier") + 1 :][:2] == ["1.0", "0.5"]


def test_each_of_two_models_gets_its_own_loras(place: Any) -> None:
    both = {"task": "t2v-A14B", "dit": "miniature/wan22_t2v_low.safetensors"}
    chain = place.lora("blocks_0_self_attn_q")
    for noise, multiplier in (("high", 0.25), ("low", 0.5)):
        chain = place.run(
            "LoRASelect", lora="lora.safetensors", noise=noise, multiplier=multiplier, previous=chain
        ).lora
    place.generate(models=place.models(**both, dit_high_noise="miniature/wan22_t2v_high.safetensors"), lora=chain)
    words = place.command()
    low, high = (words[words.index(f"--lora_multiplier{end}") + 1 :][:2] for end in ("", "_high_noise"))
    assert (low, high) == (["1.0", "0.5"], ["1.0", "0.25"])


def test_a_state_outside_the_output_folder_is_refused(place: Any) -> None:
    ready = place.prepared()
    (place.folder / "secret-state").mkdir()
    (place.folder / "secret-state" / "model.safetensors").write_bytes(b"x")
    place.forget()
    with fails("state-missing", "../secret-state"):
        place.train(ready, training=place.training(resume="../secret-state"))
    assert not place.started_since()


def test_a_model_outside_its_folder_is_refused(place: Any) -> None:
    (place.host.output_folder / "models" / "vae").mkdir(parents=True)
    path = place.weights("loras", "outside.safetensors", x=(4, 4))
    assert (place.host.output_folder / "models" / "vae" / "../loras/outside.safetensors").is_file()
    with fails("model-missing", path.name):
        place.models(vae=f"../loras/{path.name}")
