"""Prompts as a chain of nodes, and the file that they become for the samples of a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.families.family import Family
from musubi_nodes.families.picture_count import NO_PICTURES, ONE_OR_MORE, PictureCount
from musubi_nodes.families.prompts import Prompt
from musubi_nodes.families.training.sample_prompts import SampleRules, check_prompts, write_prompts
from musubi_nodes.hosts.comfyui import emit
from musubi_nodes.nodes.prompt import PromptNode
from musubi_nodes.nodes.settings import SamplingConfig
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace

RULE = FrameRule()


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def chain(place: Workplace, *each: dict[str, Any]) -> Any:
    prompts = None
    for values in each:
        prompts = place.run("Prompt", previous=prompts, **values).prompts
    return prompts


NOTHING = SampleRules()
I2V = SampleRules({"image": ONE_OR_MORE})
EDIT = SampleRules({"control_image": ONE_OR_MORE}, empty_negative_prompt=" ")
LAYERED = SampleRules({"control_image": PictureCount(1, 1)})


def written(place: Workplace, rules: SampleRules = NOTHING, image: Any = None, **values: Any) -> list[dict[str, Any]]:
    """The prompt file; ``image`` is what the trainer itself is given."""
    sampling = place.run("SamplingConfig", **{"sample_every_n_epochs": 1, **values}).sampling
    own = dict.fromkeys(rules.pictures, image)
    return json.loads(write_prompts(sampling, own, rules, place.folder).read_text("utf-8"))


def plain(*colours: tuple[int, int, int]) -> Any:
    return np.stack([np.full((8, 8, 3), colour, np.float32) for colour in colours])


def colours_of(*paths: str) -> list[Any]:
    return [Image.open(path).getpixel((0, 0)) for path in paths]


def test_a_prompt_brings_its_own_values_and_takes_the_rest_from_the_node(place: Workplace) -> None:
    prompts = chain(
        place,
        {"prompt": "I am a cat", "width": 512, "frames": 9, "seed": 7, "flow_shift": 5.0},
        {"prompt": "a dog", "negative_prompt": "blurry", "cfg_scale": 5.0},
    )
    first, second, third = written(
        place,
        prompts=prompts,
        sample_prompts="a line\n# no prompt\n",
        sample_width=96,
        sample_height=64,
        sample_steps=4,
    )
    assert first == {"prompt": "a line", "width": 96, "height": 64, "frame_count": 1, "sample_steps": 4, "seed": 1}
    assert second == {
        "prompt": "I am a cat", "width": 512, "height": 64, "frame_count": 9, "sample_steps": 4, "seed": 7,
        "discrete_flow_shift": 5.0,
    }  # fmt: skip
    assert (third["negative_prompt"], third["cfg_scale"]) == ("blurry", 5.0)


def test_guidance_without_a_negative_prompt_is_switched_on_by_an_empty_one(place: Workplace) -> None:
    (entry,) = written(place, prompts=chain(place, {"prompt": "a cat", "cfg_scale": 5.0}))
    assert entry["negative_prompt"] == ""


def test_each_prompt_of_an_image_to_video_model_has_its_picture(place: Workplace) -> None:
    prompts = chain(place, {"prompt": "a", "image": plain((1, 0, 0))}, {"prompt": "b"})
    paths = [entry["image_path"] for entry in written(place, I2V, plain((0, 0, 1)), prompts=prompts)]
    assert colours_of(*paths) == [(255, 0, 0), (0, 0, 255)]
    with fails("start-image-missing", "'b'"):
        written(place, I2V, prompts=prompts)


def test_each_prompt_of_an_edit_model_has_all_its_control_pictures(place: Workplace) -> None:
    both = plain((1, 0, 0), (0, 1, 0))
    prompts = chain(place, {"prompt": "a", "control_image": both, "cfg_scale": 4.0}, {"prompt": "b"})
    first, second = written(place, EDIT, plain((0, 0, 1)), prompts=prompts)
    assert colours_of(*first["control_image_path"]) == [(255, 0, 0), (0, 255, 0)]
    assert colours_of(*second["control_image_path"]) == [(0, 0, 255)]
    assert first["negative_prompt"] == " " and "negative_prompt" not in second
    with fails("control-image-missing", "'b'"):
        written(place, EDIT, prompts=prompts)
    with fails("control-image-unexpected", "'a'", "2"):
        written(place, LAYERED, plain((0, 0, 1)), prompts=prompts)


def test_control_pictures_of_the_trainer_are_for_versions_that_take_some(place: Workplace) -> None:
    rules = SampleRules({"control_image": NO_PICTURES})
    (entry,) = written(place, rules, plain((0, 0, 1)), prompts=chain(place, {"prompt": "a"}))
    assert "control_image_path" not in entry
    with fails("control-image-unexpected", "'a'"):
        written(place, rules, prompts=chain(place, {"prompt": "a", "control_image": plain((1, 0, 0))}))


@pytest.mark.parametrize(
    ("values", "code", "named"),
    [
        ({"prompt": "  "}, "prompt-empty", ""),
        ({"prompt": "a", "width": 100}, "size-not-divisible", "96 112"),
        ({"prompt": "a", "frames": -1}, "greater-than-equal", "frames"),
    ],
)
def test_a_prompt_that_would_kill_the_training_is_refused(
    place: Workplace, values: dict[str, Any], code: str, named: str
) -> None:
    with fails(code, *named.split()):
        chain(place, values)


def test_a_length_that_does_not_fit_the_family_is_refused() -> None:
    with fails("frames-not-allowed", 6, "'a'", "X"):
        check_prompts([Prompt(prompt="a", frames=6)], RULE, Family("x", "X", "x", "networks.lora"))


def test_what_the_samples_of_a_family_ignore_is_refused() -> None:
    family = Family("x", "X", "x", "networks.lora", ignores=frozenset({"negative_prompt", "cfg_scale"}))
    check_prompts([Prompt(prompt="a", guidance_scale=2.0)], RULE, family)
    for values in ({"negative_prompt": "b"}, {"cfg_scale": 1.0}):
        with fails("input-unexpected", *values, "X"):
            check_prompts([Prompt(prompt="a", **values)], RULE, family)


def test_when_and_what_are_said_together(place: Workplace) -> None:
    with fails("setting-missing", "sample_every_n_epochs"):
        place.run("SamplingConfig", prompts=chain(place, {"prompt": "a"}))
    with fails("prompt-empty", "sample_prompts"):
        place.run("SamplingConfig", sample_every_n_epochs=1)


def test_prompts_that_come_over_a_link_are_not_missed_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from musubi_nodes.plugins.manager import plugins

    monkeypatch.setattr(emit, "_host", lambda: None)
    assert emit.validate(SamplingConfig, plugins(), {"sample_every_n_epochs": 1, "prompts": None})
    with fails("prompt-empty", "sample_prompts"):
        emit.validate(SamplingConfig, plugins(), {"sample_every_n_epochs": 1})
    assert emit.validate(PromptNode, plugins(), {"prompt": None})


def test_zero_means_not_said_for_sizes() -> None:
    width = next(spec for spec in PromptNode.fields() if spec.name == "width")
    assert (width.minimum, width.unset, width.from_widget(0), width.from_widget(512)) == (0, 0, None, 512)


def test_a_picture_that_the_task_would_ignore_is_refused(place: Workplace) -> None:
    prompts = chain(place, {"prompt": "a", "image": np.zeros((1, 8, 8, 3), np.float32)})
    with fails("start-image-unexpected", "'a'"):
        written(place, prompts=prompts)
