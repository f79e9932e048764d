"""Declared nodes as ComfyUI sees them. No ComfyUI is needed: the host is asked only for lists of files."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.every_node import REAL_ONLY
from tests.recognition.headers import weights_file

from musubi_nodes.families.context import Context
from musubi_nodes.families.preflight import used_outputs
from musubi_nodes.hosts.comfyui import emit
from musubi_nodes.hosts.comfyui.output_tracker import OutputTracker
from musubi_nodes.hosts.comfyui.start import classes
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace

FILES = {
    "dit": "diffusion_models/a.safetensors",
    "vae": "vae/a.safetensors",
    "t5": "text_encoders/a.safetensors",
}


class FileLists:
    """The only things of ComfyUI that input types ask for."""

    def model_names(self, kind: str) -> list[str]:
        return [f"{kind}/a.safetensors"]

    trusted = True
    output_folder = Path("nowhere")

    def input_folder(self) -> Path:
        return INPUT

    def model_folders(self, kind: str) -> list[Path]:
        return [INPUT / "models"]


INPUT = Path()


@pytest.fixture(autouse=True)
def _files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"")
    monkeypatch.setitem(globals(), "INPUT", tmp_path)
    monkeypatch.setattr(emit, "_host", FileLists)
    monkeypatch.setitem(sys.modules, "folder_paths", SimpleNamespace(get_user_directory=lambda: str(tmp_path)))


@pytest.fixture
def files(musubi_workplace: Workplace, _files: None, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """What stands for a new node's own choice of files, by the begin of its id: the practice install's models."""
    monkeypatch.setattr(FileLists, "model_folders", musubi_workplace.host.model_folders)
    musubi_workplace.lora("blocks_0_self_attn_q")
    demos = {key: demo.models for key, demo in plugins().install().demos.items()}
    real_only = [each.id.removeprefix("MusubiTuner_") for each in plugins().nodes if each.id.startswith(REAL_ONLY)]
    return {
        **{name: toys(musubi_workplace, name) for name in real_only},
        "WanModels": demos["wan"],
        "HunyuanVideoModels": demos["hunyuan"],
        "FramePackModels": demos["framepack"],
        "ZImageModels": demos["z_image"],
        "LoRAMerger": {"dit": demos["hunyuan"]["dit"]},
        "LoRASelect": {"lora": "lora.safetensors"},
    }


def toys(place: Workplace, name: str) -> dict[str, str]:
    """Files with nothing but what a node recognises them by, for a family that the practice install lacks."""
    files = {}
    for spec in place.node(name).fields():
        if spec.accepts:
            kind = spec.accepts.kinds[0]
            prefix = (kind.prefixes or spec.accepts.prefixes)[0]
            shapes = {prefix + key: tuple(side or 1 for side in shape) for key, shape in kind.tensors.items()}
            path = place.host.output_folder / "models" / spec.model_kind / f"{name}-{spec.name}.safetensors"
            path.parent.mkdir(parents=True, exist_ok=True)
            files[spec.name] = weights_file(path, shapes).name
    return files


def emitted(name: str) -> Any:
    return classes()[0][f"MusubiTuner_{name}"]


@pytest.mark.parametrize("node", plugins().nodes, ids=lambda node: node.id)
def test_a_class_has_all_that_v1_asks_for(node: Any) -> None:
    made: Any = classes()[0][node.id]
    types = made.INPUT_TYPES()
    names = [*types["required"], *types["optional"]]
    assert sorted(names) == sorted(spec.name for spec in node.fields())
    assert all(options["tooltip"] for group in ("required", "optional") for _, options in types[group].values())
    assert not set(types["hidden"]) & set(names)
    assert len(made.RETURN_TYPES) == len(made.RETURN_NAMES) == len(made.OUTPUT_TOOLTIPS)
    assert made.DESCRIPTION and made.CATEGORY.startswith("MusubiTuner/")
    assert callable(getattr(made(), made.FUNCTION))


NEEDED = {
    "MusubiTuner_VideoInput": "file",
    "MusubiTuner_VideoOutput": "images",
    "MusubiTuner_FramePackGenerator": "image",
    "MusubiTuner_LoRAPostHocEMA": "run",
}
"""What a new node refuses to go without."""


@pytest.mark.parametrize("name", [node.id for node in plugins().nodes])
def test_the_values_that_a_new_node_begins_with_are_valid(name: str, files: Mapping[str, Any], tmp_path: Path) -> None:
    node = next(node for node in plugins().nodes if node.id == name)
    toml = tmp_path / "set.toml"
    toml.write_text("[[datasets]]\nimage_directory = '.'\ncaption_extension = '.txt'\n", "utf-8")
    needed = {"prompt": "a cat", "text": "a cat", "path": str(toml), "source": str(tmp_path)}  # what nobody can guess
    types = emit.input_types(node, plugins())
    values = {}
    for name, (kind, options) in {**types["required"], **types["optional"]}.items():
        if isinstance(kind, list):
            values[name] = options.get("default", kind[0])
        elif "default" in options:
            values[name] = options["default"]
    values |= files.get(node.id.removeprefix("MusubiTuner_"), {})
    values |= {name: value for name, value in needed.items() if name in values}
    if linked := NEEDED.get(node.id):
        values[linked] = None  # what comes over a link
    assert emit.validate(node, plugins(), values)


@pytest.mark.parametrize("node", plugins().nodes, ids=lambda node: node.id)
def test_a_node_is_found_by_what_people_call_it_in_both_languages(node: Any) -> None:
    words = classes()[0][node.id].SEARCH_ALIASES
    beyond = [word for word in node.search if word.lower() not in node.title.lower()]
    assert len(beyond) >= 3 and set(node.search) <= set(words) and node.title in words
    assert any(not word.isascii() for word in beyond)
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    "word", ["vram", "loss", "tensorboard", "oom", "train lora", "save video", "データセット", "学習"]
)
def test_some_node_is_found_by(word: str) -> None:
    assert any(word in node.search for node in plugins().nodes)


@pytest.mark.parametrize(
    ("name", "usual"), [("eps", 1e-8), ("beta2", 0.999), ("beta3", 0.9999), ("max_lr", 1e-4), ("lr_end", 1e-7)]
)
def test_the_page_does_not_round_away_what_a_tooltip_calls_usual(name: str, usual: float) -> None:
    """It shows as many digits as the step has (frontend 1.27.10)."""
    step = emitted("OptimizerConfig").INPUT_TYPES()["optional"][name][1]["step"]
    assert round(usual / step) * step == pytest.approx(usual)


def test_ranges_choices_and_steps_come_from_the_declaration() -> None:
    inputs = emitted("TrainingConfig").INPUT_TYPES()["optional"]
    kind, options = inputs["learning_rate"]
    assert kind == "FLOAT" and options["min"] == 0 and options["max"] == 100 and options["step"] <= 0.0001
    assert inputs["mixed_precision"][0] == ["bf16", "fp16", "no"]
    assert inputs["save_precision"][0][0] == "default"
    dropout = emitted("NetworkConfig").INPUT_TYPES()["optional"]["network_dropout"][1]
    assert dropout["min"] == -1 and dropout["default"] == -1
    assert inputs["max_train_steps"][1]["default"] == 0
    assert inputs["save_state"][1]["advanced"] is True


def test_only_a_generators_seed_changes_by_itself() -> None:
    """The page adds the control to every INT called seed unless it is told not to: a training would run anew."""
    assert emitted("WanGenerator").INPUT_TYPES()["optional"]["seed"][1]["control_after_generate"] is True
    assert emitted("TrainingConfig").INPUT_TYPES()["optional"]["seed"][1]["control_after_generate"] is False


def test_model_files_are_combos_and_none_is_offered_only_where_it_is_allowed() -> None:
    inputs = emitted("WanModels").INPUT_TYPES()["optional"]
    assert inputs["clip"][0][0] == "none" and inputs["vae"][0][0] == "vae/a.safetensors"


def test_the_miniatures_models_are_offered_only_while_it_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [name for name in emitted("WanModels").INPUT_TYPES()["optional"]["vae"][0] if "miniature" in name]
    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")
    from musubi_nodes.config import load_config

    load_config.cache_clear()
    plugins.cache_clear()
    assert "miniature/wan_vae.safetensors" in emitted("WanModels").INPUT_TYPES()["optional"]["vae"][0]


@pytest.mark.parametrize(
    ("node", "values", "code", "value"),
    [
        ("TrainingConfig", {"max_train_epochs": 0}, "training-length-missing", "max_train_epochs"),
        ("TrainingConfig", {"learning_rate": 1000.0}, "less-than-equal", "learning_rate"),
        ("TrainingConfig", {"mixed_precision": "bf15"}, "literal-error", "mixed_precision"),
        (
            "OptimizerConfig",
            {"lr_scheduler": "constant", "lr_warmup_steps": 10.0},
            "setting-ignored",
            "lr_warmup_steps",
        ),
        ("OptimizerConfig", {"optimizer_type": "os.system"}, "literal-error", "optimizer_type"),
        ("OptimizerConfig", {"optimizer_args": "weight_decay"}, "argument-not-key-value", "weight_decay"),
        ("SamplingConfig", {"sample_prompts": "a cat"}, "setting-missing", "sample_every_n"),
        ("SamplingConfig", {"sample_width": 100}, "size-not-divisible", 16),
        ("MemoryOptimizer", {"attention": "xformers"}, "setting-missing", "split_attn"),
        ("WanModels", {"task": "i2v-14B", **FILES}, "wan-clip-missing", "clip"),
        ("WanModels", {**FILES, "vae": "../../etc/passwd"}, "model-missing", "../../etc/passwd"),
        ("WanGenerator", {"slg_layers": "1;rm"}, "string-pattern-mismatch", "slg_layers"),
    ],
)
def test_a_wrong_widget_value_is_refused_before_the_queue_runs(
    musubi_miniature: str, node: str, values: dict[str, Any], code: str, value: object
) -> None:
    with fails(code, value):
        asyncio.run(emitted(node).VALIDATE_INPUTS(**values))


def test_values_that_come_over_a_link_are_not_judged_before_the_run() -> None:
    assert asyncio.run(emitted("WanGenerator").VALIDATE_INPUTS(prompt=None, models=None, width=832))


@pytest.mark.parametrize(
    ("node", "linked", "told"),
    [
        ("WanGenerator", [], "prompt-empty"),
        ("WanGenerator", ["prompt"], ""),
        ("WanGenerator", ["latent"], ""),
        ("FramePackGenerator", ["image"], "prompt-empty"),
        ("FramePackGenerator", ["section"], ""),
    ],
)
def test_a_generator_without_a_prompt_is_refused_before_a_training_in_its_graph(
    node: str, linked: list[str], told: str
) -> None:
    values: dict[str, Any] = {"prompt": " ", **dict.fromkeys(linked)}
    if told:
        with fails(told):
            asyncio.run(emitted(node).VALIDATE_INPUTS(**values))
    else:
        assert asyncio.run(emitted(node).VALIDATE_INPUTS(**values))


def test_a_length_that_does_not_fit_is_refused_before_a_training_in_its_graph() -> None:
    with fails("frames-not-allowed", "video_length 6"):
        asyncio.run(emitted("WanGenerator").VALIDATE_INPUTS(prompt="a cat", video_length=6))


def test_a_node_whose_files_are_gone_runs_again_once(tmp_path: Path) -> None:
    kept, context = OutputTracker(), Context(None, plugins())  # type: ignore[arg-type]
    made = [tmp_path / "cache" / f"{name}.safetensors" for name in "ab"]
    made[0].parent.mkdir()
    for file in made:
        file.touch()
    context.track_output(*made)
    kept.record("7", context)
    assert kept.generation("7") == kept.generation("7") == kept.generation("8") == ""
    made[1].unlink()
    again = kept.generation("7")
    assert again and kept.generation("7") == again
    made[1].touch()
    kept.record("7", context)
    assert kept.generation("7") == again
    made[0].unlink(), made[1].unlink(), made[0].parent.rmdir()
    assert kept.generation("7") not in ("", again)


def test_a_training_that_was_stopped_early_is_not_remembered_as_done(tmp_path: Path) -> None:
    kept, context = OutputTracker(), Context(None, plugins())  # type: ignore[arg-type]
    context.track_output(complete=False)
    kept.record("7", context)
    assert kept.generation("7")


@pytest.mark.parametrize("name", ["WanGenerator", "VideoInput"])
def test_linking_an_output_that_was_not_made_makes_the_node_run_again(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = next(node for node in plugins().nodes if node.id == f"MusubiTuner_{name}")
    names = [spec.name for spec in node.outputs()]

    def key(*used: str) -> str:
        class Host:
            outputs = OutputTracker()

            def running_workflow(self) -> Any:
                return {"7": {}, "9": {"inputs": {each: ["7", names.index(each)] for each in used}}}

            def raise_if_cancelling(self) -> None:
                """Nobody cancels."""

        monkeypatch.setattr(emit, "_host", Host)
        return emit.changed(node, plugins(), {"musubi_node_id": "7"})

    lazy = sorted(node.lazy_outputs)[0]
    other = next(each for each in names if each not in node.lazy_outputs)
    assert key() == key(other) != key(lazy)


def test_linked_outputs_are_found_in_the_workflow() -> None:
    node = next(node for node in plugins().nodes if node.id == "MusubiTuner_WanGenerator")
    workflow = {"2:1": {"inputs": {}}, "9": {"inputs": {"images": ["2:1", 1], "text": "x"}}}
    assert used_outputs(node, "2:1", workflow) == {"images"}
    assert used_outputs(node, "2:1", None) is None


def test_markup_in_a_line_of_text_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of ComfyUI 0.3.64 writes it with innerHTML, and a prompt may come from a stranger."""
    import sys
    import types

    from musubi_nodes.hosts.comfyui.host import ComfyHost

    sent: list[str] = []
    server = types.SimpleNamespace(client_id=None, send_progress_text=lambda text, node, client: sent.append(text))
    module = types.SimpleNamespace(PromptServer=types.SimpleNamespace(instance=server))
    monkeypatch.setitem(sys.modules, "server", module)  # type: ignore[arg-type]
    ComfyHost().tell("1", "1. <img src=x onerror=alert(1)>")
    assert sent and "<" not in sent[0] and ">" not in sent[0]


def test_another_file_of_the_same_name_is_not_the_one_that_was_made(tmp_path: Path) -> None:
    kept, context = OutputTracker(), Context(None, plugins())  # type: ignore[arg-type]
    made = tmp_path / "video.mp4"
    made.write_bytes(b"a cat")
    context.track_output(made)
    kept.record("7", context)
    assert kept.generation("7") == ""
    made.unlink()
    made.write_bytes(b"a larger dog")
    assert kept.generation("7")
