"""Many prompts from one generator, on the miniature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.families.context import Context
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.errors import fails


def batch(place: Any, *lines: str, **values: Any) -> Any:
    return place.run("BatchProcessor", text="\n".join(lines), **values).prompts


def seeds(videos: list[Any]) -> list[bytes]:
    return [video.path.read_bytes() for video in videos]


def generators(place: Any) -> list[Path]:
    return [run for run in place.started() if "WanGenerator" in run.name]


def command(run: Path) -> list[str]:
    return [str(word) for word in json.loads((run / "command.json").read_text("utf-8"))["command"]]


def test_prompts_share_one_start_and_make_the_videos_of_single_runs(place: Any) -> None:
    made = place.generate(prompts=batch(place, "a cat", "a dog", "a bird"), prompt="", seed=5)
    assert len(made.video) == 3 and len(generators(place)) == 1
    assert place.texts[0].count("3") >= 2
    place.forget_generated()
    alone = [place.generate(prompt=text, seed=seed).video for text, seed in (("a cat", 5), ("a dog", 6), ("a bird", 7))]
    assert seeds(made.video) == seeds(alone)


def test_several_seeds_of_one_prompt_share_one_start(place: Any) -> None:
    made = place.generate(prompts=batch(place, "a cat", repeats=3, first_seed=5), prompt="")
    assert len(made.video) == 3 and len(generators(place)) == 1
    place.forget_generated()
    alone = [place.generate(prompt="a cat", seed=seed).video for seed in (5, 6, 7)]
    assert seeds(made.video) == seeds(alone)


def test_a_negative_prompt_is_not_taken_from_another_prompt_with_the_same_text(place: Any) -> None:
    texts = (("ugly", 5), ("blurry", 6), ("ugly", 7))
    lines = [f"a cat --n {negative} --d {seed}" for negative, seed in texts]
    made = place.generate(prompts=batch(place, *lines), prompt="")
    assert len(generators(place)) == 2
    place.forget_generated()
    alone = [place.generate(prompt="a cat", negative_prompt=negative, seed=seed).video for negative, seed in texts]
    assert seeds(made.video) == seeds(alone)


def test_many_prompts_with_one_seed_share_one_start(place: Any) -> None:
    table = place.folder / "prompts.csv"
    table.write_text("prompt,seed\na cat,7\na dog,8\na bird,7\na fish,7\n", "utf-8")
    for output_type in ("video", "images"):
        prompts = place.run("BatchProcessor", file=str(table)).prompts
        made = place.generate(prompts=prompts, prompt="", output_type=output_type, filename_prefix=output_type)
        assert len(made.images) == 4
    assert len(generators(place)) == 2
    texts = (("a cat", 7), ("a dog", 8), ("a bird", 7), ("a fish", 7))
    place.forget_generated()
    alone = [place.generate(prompt=text, seed=seed, output_type="images").images for text, seed in texts]
    assert pixels(made.images) == pixels(alone)


def pixels(frames: list[Any]) -> list[list[bytes]]:
    return [[path.read_bytes() for path in each.paths] for each in frames]


def test_each_prompt_has_its_own_size_length_and_steps(place: Any) -> None:
    table = place.folder / "prompts.csv"
    table.write_text("prompt;width;height;frames;steps;seed\na cat;64;64;9;1;3\na dog;;;;;\n", "utf-8")
    made = place.generate(prompts=place.run("BatchProcessor", file=str(table)).prompts)
    assert [(f.width, f.height, f.frames) for f in (probe(v.path) for v in made.video)] == [(64, 64, 9), (96, 64, 5)]
    assert len(generators(place)) == 1


def test_a_prompt_that_no_line_can_say_starts_alone(place: Any) -> None:
    table = place.folder / "prompts.csv"
    table.write_text("prompt\na cat\na dog\n# no\na bird\n", "utf-8")
    made = place.generate(prompts=place.run("BatchProcessor", file=str(table)).prompts)
    assert len(made.video) == 4
    starts = [command(run) for run in generators(place)]
    assert len(starts) == 2 and any("--prompt=# no" in words for words in starts)


def test_a_lora_strength_of_its_own_needs_a_start_of_its_own(place: Any) -> None:
    lora = place.train(training=place.training(max_train_epochs=10, learning_rate=0.05)).lora
    table = place.folder / "prompts.jsonl"
    table.write_text(
        '{"prompt": "a cat", "seed": 1, "lora_multiplier": 0.5}\n{"prompt": "a dog", "seed": 1}\n', "utf-8"
    )
    prompts = place.run("BatchProcessor", file=str(table)).prompts
    assert len(place.generate(prompts=prompts, lora=lora).video) == 2
    strengths = [words[words.index("--lora_multiplier") + 1] for words in map(command, generators(place))]
    assert strengths == ["0.5", "1.0"]


def test_a_stopped_batch_goes_on_where_it_was(place: Any) -> None:
    prompts = batch(place, "a cat", "a dog", "a bird", per_start=1)
    first = place.generate(prompts=prompts.model_copy(update={"items": prompts.items[:2]})).video
    made = place.generate(prompts=prompts).video
    assert len(generators(place)) == 3 and [v.path for v in made[:2]] == [v.path for v in first]
    made[0].path.unlink()
    again = place.generate(prompts=prompts).video
    assert len(generators(place)) == 4 and again[0].path.is_file() and again[2].path == made[2].path


def test_another_model_file_under_the_same_name_makes_the_videos_anew(place: Any) -> None:
    import os

    prompts = batch(place, "a cat")
    place.generate(prompts=prompts)
    dit = Path(place.models().dit)
    facts = dit.stat()
    os.utime(dit, ns=(facts.st_atime_ns, facts.st_mtime_ns + 100))
    place.generate(prompts=prompts)
    assert len(generators(place)) == 2


def test_one_failing_prompt_is_reported_and_the_others_go_on(place: Any) -> None:
    fail(place, "a dog")
    made = place.generate(prompts=batch(place, "a cat", "a dog", "a bird"))
    assert len(made.video) == 2
    assert "3" in place.texts[0] and "'a dog'" in place.texts[0] and "'a cat'" not in place.texts[0]
    with fails("script-failed", "bad prompt"):
        place.generate(prompts=batch(place, "a dog"))
    with fails("script-failed", "bad prompt"):
        place.generate(prompts=batch(place, "a fish", "a dog", strict=True))


def fail(place: Any, prompt: str) -> None:
    """musubi-tuner dies on a prompt, whether it comes alone or in a file."""
    place.misbehaving(
        "wan_generate_video.py",
        "texts = [open(w.split('=', 1)[1]).read() for w in words if w.startswith('--from_file=')]\n"
        f"if {prompt!r} in ' '.join([*words, *texts]):\n    raise ValueError('bad prompt')",
    )


def test_workers_share_the_work_and_each_sees_its_own_gpu(place: Any) -> None:
    made = place.generate(prompts=batch(place, "a", "b", "c", "d", workers=2, per_start=1))
    assert len(made.video) == 4
    used = {
        json.loads((run / "command.json").read_text())["environment"]["CUDA_VISIBLE_DEVICES"]
        for run in generators(place)
    }
    assert used == {"0", "1"}


def test_the_runs_of_all_workers_tell_which_prompt_of_which_workflow_they_are_of(place: Any) -> None:
    node, queued = place.node("WanGenerator"), {"prompt": "p-1", "workflow": "w-1"}
    prompts = batch(place, "a", "b", workers=2, per_start=1)
    inputs = node.parse({"models": place.models(), "prompts": prompts, **place.small})
    node().run(inputs, Context(place.host, place.services, "7", queued=queued))
    origins = [json.loads((run / "origin.json").read_text("utf-8")) for run in generators(place)]
    assert [(each["node"], each["prompt"], each["workflow"]) for each in origins] == [("7", "p-1", "w-1")] * 2


def test_an_interrupt_ends_all_workers_and_keeps_what_is_finished(place: Any) -> None:
    class Interrupted(Exception):
        pass

    def stop() -> None:
        if list(place.folder.glob("output/musubi/generated/*.json")):
            raise Interrupted

    prompts = batch(place, *(f"prompt {n}" for n in range(8)), workers=2, per_start=1)
    place.host.raise_if_interrupted = stop
    with pytest.raises(Interrupted):
        place.generate(prompts=prompts)
    kept = len(list(place.folder.glob("output/musubi/generated/*.json")))
    assert 0 < kept < 8
    del place.host.raise_if_interrupted
    before = len(generators(place))
    assert len(place.generate(prompts=prompts).video) == 8
    assert len(generators(place)) - before == 8 - kept


REFUSED = {
    "a value that the model has not": ({"prompt": "a", "guidance_scale": 3.0}, "input-unexpected", "guidance_scale"),
    "a length that does not fit": (
        {"prompt": "a", "frames": 6},
        "frames-not-allowed",
        "prompt 1 ('a'): video_length 6",
    ),
    "a strength without a LoRA": ({"prompt": "a", "lora_multiplier": 0.5}, "lora-missing", "lora_multiplier"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_prompts_that_do_not_fit_are_refused_before_anything_starts(place: Any, row: str) -> None:
    values, code, named = REFUSED[row]
    with fails(code, named):
        place.generate(prompts=place.run("Prompt", **values).prompts)
    assert not generators(place)


def test_each_prompt_may_begin_with_its_own_picture(place: Any) -> None:
    from musubi_nodes.media.frames import ImageFiles

    place.dataset()
    models = place.models(
        task="i2v-14B", dit="miniature/wan_i2v_14b.safetensors", clip="miniature/clip_vision_h.safetensors"
    )
    prompts = None
    for number in range(2):
        picture = ImageFiles((place.folder / "pictures" / f"p{number}.png",))
        prompts = place.run("Prompt", previous=prompts, prompt=f"a square {number}", image=picture, seed=number).prompts
    made = place.generate(models=models, prompts=prompts)
    assert len(made.video) == 2 and len(generators(place)) == 1
    lines = (generators(place)[0] / "prompts.txt").read_text("utf-8").splitlines()
    assert all("--i " in line for line in lines)


def test_another_video_that_took_the_name_is_not_handed_on(place: Any) -> None:
    cat = place.generate(prompt="a cat").video.path
    cat.unlink()
    dog = place.generate(prompt="a dog").video.path
    assert dog == cat
    again = place.generate(prompt="a cat").video.path
    assert again != dog and len(generators(place)) == 3


def test_another_memory_plan_or_name_makes_nothing_anew(place: Any) -> None:
    first = place.generate(memory=place.settings("MemoryOptimizer", blocks_to_swap=4)).video.path
    assert place.generate(memory=place.settings("MemoryOptimizer", blocks_to_swap=9)).video.path == first
    assert place.generate(filename_prefix="other", device="cuda:0").video.path == first
    assert place.generate(memory=place.settings("MemoryOptimizer", fp8="fp8_scaled")).video.path != first


def test_a_picture_as_comfyui_hands_it_reaches_each_prompt(place: Any) -> None:
    import numpy as np

    models = place.models(
        task="i2v-14B", dit="miniature/wan_i2v_14b.safetensors", clip="miniature/clip_vision_h.safetensors"
    )
    picture = np.zeros((1, 64, 96, 3), np.float32)
    prompts = place.run("Prompt", prompt="a square", image=picture).prompts
    assert place.generate(models=models, prompts=prompts).video


def test_a_long_prompt_that_looks_like_a_path_is_a_prompt(place: Any) -> None:
    assert place.generate(prompt="/" + "a cat " * 100).video


def test_more_workers_than_gpus_are_refused_before_anything_starts(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    install = replace(place.services.install("miniature"), cpu=False)
    monkeypatch.setattr(place.services, "install", lambda name=None: install)
    with fails("gpu-missing", 2, "cuda:0"):
        place.generate(prompts=batch(place, "a", "b", workers=2))
    assert not generators(place)


def test_few_prompts_are_shared_out_among_the_workers(place: Any) -> None:
    assert len(place.generate(prompts=batch(place, "a", "b", "c", "d", workers=2)).video) == 4
    assert len(generators(place)) == 2


def test_a_batch_with_failures_is_not_remembered_as_complete(place: Any) -> None:
    from musubi_nodes.families import Context

    fail(place, "a dog")
    node = place.node("WanGenerator")
    context = Context(place.host, place.services, "1")
    values = {"models": place.models(), "prompts": batch(place, "a cat", "a dog"), "width": 96, "height": 64}
    node().run(node.parse({**values, "video_length": 5, "infer_steps": 2}), context)
    assert not context.complete


def test_an_output_that_will_not_be_made_is_refused_at_once(place: Any) -> None:
    from musubi_nodes.families import Context

    node = place.node("WanGenerator")
    context = Context(place.host, place.services, "1", frozenset({"video"}))
    values = {"models": place.models(), "prompt": "a cat", "output_type": "images"}
    with fails("output-not-made", "video", "images"):
        node().run(node.parse(values), context)
