"""What settings and prompts will bring over links is looked at before anything runs, by both hosts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from musubi_nodes.hosts.comfyui import emit, queued
from musubi_nodes.hosts.terminal.workflow import check_workflow, read_workflow
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace

Workflow = dict[str, Any]
Host = Callable[[Workplace, Workflow], None]


def comfyui(place: Workplace, workflow: Workflow) -> None:
    """Each node as execution.py asks it: a link has no value yet."""

    def asked() -> None:
        queued.keep({"prompt": workflow})
        for id_, step in workflow.items():
            values = {name: None if isinstance(value, list) else value for name, value in step["inputs"].items()}
            node = next((node for node in place.services.nodes if node.id == step["class_type"]), None)
            if node:
                emit.validate(node, place.services, {**values, "musubi_node_id": id_})

    copy_context().run(asked)


def terminal(place: Workplace, workflow: Workflow) -> None:
    path = place.folder / "workflow.json"
    path.write_text(json.dumps(workflow), "utf-8")
    check_workflow(read_workflow(path, place.services.nodes), place.host, place.services)


@pytest.fixture(params=[comfyui, terminal])
def host(request: pytest.FixtureRequest) -> Host:
    found: Host = request.param
    return found


@pytest.fixture
def place(musubi_workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setattr(emit, "_host", lambda: musubi_workplace.host)
    monkeypatch.chdir(musubi_workplace.folder)
    return musubi_workplace


def step(name: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": f"MusubiTuner_{name}", "inputs": inputs}


def models(place: Workplace, family: str) -> dict[str, Any]:
    return step(
        f"{family}Models", **place.services.install("miniature").demos[family.lower().removesuffix("video")].models
    )


def training(place: Workplace, sampling: dict[str, Any], **others: Any) -> Workflow:
    """Dataset, caches and trainer; ``sampling`` are the widgets and links of Sampling Config."""
    both = {"dataset": ["1", 0], "models": ["2", 0]}
    return {
        "1": step("DatasetConfigLoader", path=str(place.dataset())),
        "2": models(place, "Wan"),
        "3": step("WanLatentCache", **both),
        "4": step("WanTextEncoderCache", **both),
        "5": step("SamplingConfig", **sampling),
        **{id_: other for id_, other in others.items() if isinstance(other, dict) and "class_type" in other},
        "9": step(
            "WanLoRATrainer",
            models=["2", 0],
            latent_cache=["3", 0],
            text_cache=["4", 0],
            sampling=["5", 0],
            **{name: link for name, link in others.items() if isinstance(link, list)},
        ),
    }


TYPED = {"sample_every_n_epochs": 1, "sample_prompts": "a cat"}
LINKED = {"sample_every_n_epochs": 1, "prompts": ["7", 0]}
REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({**TYPED, "sample_frames": 80}, {}, "frames-not-allowed", "80 cat Wan"),
    ({**TYPED, "sample_prompts": "a cat --f 80"}, {}, "frames-not-allowed", "80 cat"),
    (LINKED, {"7": step("Prompt", prompt="a dog", frames=80)}, "frames-not-allowed", "80 dog"),
    (
        LINKED,
        {"6": step("Prompt", prompt="a", frames=80), "7": step("Prompt", prompt="b", frames=81, previous=["6", 0])},
        "frames-not-allowed",
        "80 'a'",
    ),
    (LINKED, {"7": step("BatchProcessor", text="one --f 81\ntwo --f 80")}, "frames-not-allowed", "80 'two'"),
    (
        LINKED,
        {"6": {"class_type": "LoadImage", "inputs": {"image": "first.png"}},
         "7": step("Prompt", prompt="a dog", frames=80, image=["6", 0])},
        "frames-not-allowed",
        "80 dog",
    ),
    (LINKED, {"7": step("Prompt", prompt="a dog", lora_multiplier=0.5)}, "input-unexpected", "dog lora_multiplier"),
    ({"weighting_scheme": "logit_normal"}, {}, "setting-ignored", "logit_normal sigma shift"),
    ({"logit_mean": 1.0}, {}, "setting-ignored", "shift logit_mean"),
    (
        {},
        {"7": step("OptimizerConfig", optimizer_type="prodigyopt.Prodigy"), "optimizer": ["7", 0]},
        "learning-rate-too-low",
        "0.0001 Prodigy",
    ),
]  # fmt: skip
"""Widgets and links of Sampling Config, further nodes and links of the trainer; the code and values of the error."""


@pytest.mark.parametrize(("sampling", "others", "code", "named"), REFUSED)
def test_a_trainer_refuses_what_its_settings_will_say_before_anything_is_cached(
    place: Workplace, host: Host, sampling: dict[str, Any], others: dict[str, Any], code: str, named: str
) -> None:
    Image.new("RGB", (8, 8)).save(place.host.input_folder() / "first.png")
    with fails(code, *named.split()):
        host(place, training(place, sampling, **others))


def test_what_fits_and_what_is_not_known_yet_is_let_through(place: Workplace, host: Host) -> None:
    host(place, training(place, {**TYPED, "sample_frames": 81}))
    host(place, training(place, {"discrete_flow_shift": 3.0, "sigmoid_scale": 2.0}))
    unknown = {**TYPED, "sample_frames": ["1", 1]}  # the dataset's report, whatever that makes
    host(place, training(place, unknown))


def generating(place: Workplace, family: str, prompts: dict[str, Any], **widgets: Any) -> Workflow:
    generator = step(f"{family}Generator", models=["2", 0], prompts=["3", 0], **widgets)
    return {"2": models(place, family), "3": prompts, "4": generator}


@pytest.mark.parametrize("family", ["Wan", "FramePack"])
def test_a_generator_refuses_a_length_that_its_prompts_will_say(place: Workplace, host: Host, family: str) -> None:
    prompts = step("BatchProcessor", text="one\ntwo --f 80")
    with fails("frames-not-allowed", 2, "'two'", 80):
        host(place, generating(place, family, prompts))
    host(place, generating(place, family, step("Prompt", prompt="a", frames=73)))


@pytest.mark.parametrize(("family", "widgets"), [("Wan", {"video_length": 80}), ("FramePack", {"video_frames": 40})])
def test_the_generators_own_length_counts_for_prompts_that_have_none(
    place: Workplace, host: Host, family: str, widgets: dict[str, Any]
) -> None:
    host(place, generating(place, family, step("Prompt", prompt="a", frames=37), **widgets))
    with fails("frames-not-allowed", 1, "'a'", *widgets.values()):
        host(place, generating(place, family, step("Prompt", prompt="a"), **widgets))


def test_a_length_of_the_familys_own_window_is_told_before_anything_runs(place: Workplace, host: Host) -> None:
    prompts = step("Prompt", prompt="a", frames=41)
    host(place, generating(place, "Wan", prompts))
    with fails("frames-not-allowed", 41, 36):
        host(place, generating(place, "FramePack", prompts))
    host(place, generating(place, "FramePack", prompts, latent_window_size=10))


WAN, FRAMEPACK, HUNYUAN = (
    "blocks_0_self_attn_q",
    "single_transformer_blocks_0_attn_to_q",
    "double_blocks_0_img_attn_proj",
)


@pytest.mark.parametrize(
    ("tool", "widgets", "module", "code"),
    [
        ("LoRAFormatConverter", {}, FRAMEPACK, "lora-not-convertible"),
        ("LoRAFormatConverter", {"target": "musubi"}, WAN, "lora-already-converted"),
        ("LoRAMerger", {"dit": "miniature/hunyuan_video_t2v.safetensors"}, WAN, "lora-other-model"),
        ("LoRAPostHocEMA", {}, WAN, "checkpoints-too-few"),
    ],
)
def test_a_chosen_lora_that_a_tool_cannot_take_is_told(
    place: Workplace, host: Host, tool: str, widgets: dict[str, Any], module: str, code: str
) -> None:
    place.lora(module, name="mine.safetensors")
    workflow = {"1": step("LoRASelect", lora="mine.safetensors"), "2": step(tool, lora=["1", 0], **widgets)}
    with fails(code):
        host(place, workflow)


def test_a_chosen_lora_that_fits_is_let_through(place: Workplace, host: Host) -> None:
    for name, module in {"wan": WAN, "hunyuan": HUNYUAN}.items():
        place.lora(module, name=f"{name}.safetensors")
    both = {"lora": "wan.safetensors", "previous": ["2", 0]}
    merged = step("LoRAMerger", lora=["1", 0], dit="miniature/hunyuan_video_t2v.safetensors")
    host(
        place,
        {
            "1": step("LoRASelect", lora="hunyuan.safetensors"),
            "2": step("LoRASelect", lora="wan.safetensors"),
            "3": step("LoRASelect", **both),
            "4": step("LoRAFormatConverter", lora=["2", 0]),
            "5": step("LoRAPostHocEMA", lora=["3", 0]),
            "6": merged,
        },
    )


I2V: dict[str, dict[str, Any]] = {
    "Wan": {
        "task": "i2v-14B",
        "dit": "miniature/wan_i2v_14b.safetensors",
        "clip": "miniature/clip_vision_h.safetensors",
    },
    "HunyuanVideo": {"task": "i2v", "dit": "miniature/hunyuan_video_i2v.safetensors"},
    "FramePack": {},
}
"""What makes a family's models ones for pictures that begin a video."""


def beginning_with(place: Workplace, family: str, **inputs: Any) -> Workflow:
    """A generator of such models."""
    chosen = models(place, family)
    chosen["inputs"] |= I2V[family]
    return {"2": chosen, "4": step(f"{family}Generator", models=["2", 0], **inputs)}


PICTURE = {"7": {"class_type": "LoadImage", "inputs": {"image": "first.png"}}}


@pytest.mark.parametrize("family", I2V)
def test_a_picture_that_nothing_brings_is_missed_before_anything_runs(
    place: Workplace, host: Host, family: str
) -> None:
    with fails("start-image-missing"):
        host(place, beginning_with(place, family, prompt="a"))
    Image.new("RGB", (8, 8)).save(place.host.input_folder() / "first.png")
    host(place, {**beginning_with(place, family, prompt="a", image=["7", 0]), **PICTURE})
    prompts = {"3": step("Prompt", prompt="a", image=["7", 0]), **PICTURE}
    host(place, {**beginning_with(place, family, prompts=["3", 0]), **prompts})


@pytest.mark.parametrize("socket", ["lora", "network_weights", "base_weights"])
def test_a_chosen_lora_of_another_model_is_told_before_anything_runs(place: Workplace, host: Host, socket: str) -> None:
    place.lora(HUNYUAN, name="mine.safetensors")
    chosen = {"8": step("LoRASelect", lora="mine.safetensors")}
    if socket == "lora":
        workflow = generating(place, "Wan", step("Prompt", prompt="a"), lora=["8", 0])
    else:
        workflow = training(place, {}, **{socket: ["8", 0]})
    with fails("lora-other-model", "mine.safetensors"):
        host(place, {**chosen, **workflow})


def test_a_chain_of_any_length_and_one_that_feeds_itself_come_to_an_end(place: Workplace) -> None:
    chain = {str(n): step("Prompt", prompt="a", frames=80, previous=[str(n + 1), 0]) for n in range(10, 1500)}
    chain["1500"] = step("Prompt", prompt="a")
    for last in (chain, {"10": step("Prompt", prompt="a", previous=["10", 0])}):
        comfyui(place, {**generating(place, "Wan", last["10"]), **last})


def test_a_workflow_that_came_in_another_way_is_not_looked_at(place: Workplace) -> None:
    node = place.node("WanGenerator")
    for sent in (None, {}, {"prompt": []}, {"prompt": {"4": {}}}, {"prompt": {"4": {"class_type": "Other"}}}):

        def asked(sent: Any = sent) -> None:
            queued.keep(sent)
            assert emit.validate(node, place.services, {"models": None, "prompts": None, "musubi_node_id": "4"})

        copy_context().run(asked)


def test_the_server_shows_each_workflow_before_it_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: list[Callable[[Any], Any]] = []
    server = SimpleNamespace(instance=SimpleNamespace(add_on_prompt_handler=handlers.append))
    monkeypatch.setitem(sys.modules, "server", SimpleNamespace(PromptServer=server))
    queued.listen()
    (handler,) = handlers
    sent = {"prompt": {"1": {}}, "client_id": "x"}
    assert copy_context().run(lambda: (handler(sent), queued.workflow())) == (sent, sent["prompt"])
