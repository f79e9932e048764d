"""Out of memory on the GPU: the next plan is proposed, or tried by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.testing.errors import fails
from musubi_nodes_wan.nodes import WanGenerator

NEEDS_SWAP = """
swap = [int(w.split('=')[1]) for w in words if w.startswith('--blocks_to_swap=')]
if not swap or swap[0] < 15 or '--fp8_scaled' not in words:
    error = type('OutOfMemoryError', (RuntimeError,), {'__module__': 'torch'})
    raise error('CUDA out of memory. Tried to allocate 9 GiB')
"""


def tried(place: Any, node: str) -> list[dict[str, str]]:
    """The options of each attempt."""
    found = []
    for run in place.started():
        if node in run.name:
            words = json.loads((run / "command.json").read_text("utf-8"))["command"]
            found.append(dict(word.lstrip("-").partition("=")[::2] for word in words if word.startswith("--")))
    return found


def memory(place: Any, **values: Any) -> Any:
    return place.settings("MemoryOptimizer", **values)


def test_a_training_out_of_memory_proposes_the_next_plan(place: Any) -> None:
    caches = place.prepared()
    place.misbehaving("wan_train_network.py", NEEDS_SWAP)
    with fails("gpu-out-of-memory") as caught:
        place.train(caches, memory=memory(place, fp8="fp8_scaled", blocks_to_swap=4))
    assert all(each in caught.value.fix for each in ("blocks_to_swap", "4", "13")) and caught.value.log
    assert len(tried(place, "WanLoRATrainer")) == 1


def test_with_retries_it_saves_more_each_time_until_it_fits(place: Any) -> None:
    caches = place.prepared()
    place.misbehaving("wan_train_network.py", NEEDS_SWAP)
    assert place.train(caches, memory=memory(place, oom_retries=5)).lora
    attempts = tried(place, "WanLoRATrainer")
    assert [each.get("blocks_to_swap") for each in attempts] == [None, None, "9", "18"]
    assert "fp8_scaled" not in attempts[0] and "fp8_scaled" in attempts[1]
    assert all(each in "\n".join(place.texts) for each in ("blocks_to_swap", "9", "18"))


SAYS = """
if not any(word.startswith('--blocks_to_swap=') for word in words):
    print({line!r}, file=sys.stderr)
    sys.exit(1)
"""


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: CUDA error: out of memory",
        "RuntimeError: Triton Error [CUDA]: out of memory",
        "RuntimeError: cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_every_word_for_full_memory_is_tried_again(place: Any, line: str) -> None:
    place.misbehaving("wan_generate_video.py", SAYS.format(line=line))
    assert place.generate(memory=memory(place, fp8="fp8_scaled", oom_retries=1)).video
    assert [each.get("blocks_to_swap") for each in tried(place, "WanGenerator")] == [None, "9"]


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: [enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory: you tried to",
        "OSError: The paging file is too small for this operation to complete. (os error 1455)",
        "OSError: [WinError 1455] The paging file is too small for this operation to complete",
    ],
)
def test_a_full_main_memory_is_tried_again_with_a_plan_that_needs_less_of_it(place: Any, line: str) -> None:
    needs = SAYS.format(line=line).replace("word.startswith('--blocks_to_swap=')", "word == '--fp8_scaled'")
    place.misbehaving("wan_generate_video.py", needs)
    plan = memory(place, vae_cache_cpu=True, blocks_to_swap=4, oom_retries=2)
    assert place.generate(memory=plan).video
    attempts = tried(place, "WanGenerator")
    assert [("vae_cache_cpu" in each, "fp8_scaled" in each) for each in attempts] == [
        (True, False), (False, False), (False, True),
    ]  # fmt: skip
    assert {each["blocks_to_swap"] for each in attempts} == {"4"}


def test_what_was_tried_is_not_proposed(place: Any) -> None:
    caches = place.prepared()
    place.misbehaving("wan_train_network.py", NEEDS_SWAP)
    with fails("gpu-out-of-memory") as caught:
        place.train(caches, memory=memory(place, oom_retries=2))
    assert all(each in caught.value.why for each in ("fp8_scaled", "blocks_to_swap", "0", "9"))
    assert all(each in caught.value.fix for each in ("blocks_to_swap", "9", "18"))
    assert "oom_retries" not in caught.value.fix and "fp8" not in caught.value.fix


def test_without_a_plan_left_a_full_main_memory_is_told_as_before(place: Any) -> None:
    place.misbehaving("wan_generate_video.py", SAYS.format(line="MemoryError"))
    with fails("ram-out-of-memory") as caught:
        place.generate(memory=memory(place, fp8="fp8_scaled", oom_retries=3))
    assert caught.value.fix and "Memory Optimizer" not in caught.value.fix


def test_retries_are_counted(place: Any) -> None:
    caches = place.prepared()
    place.misbehaving("wan_train_network.py", NEEDS_SWAP)
    with fails("gpu-out-of-memory"):
        place.train(caches, memory=memory(place, oom_retries=1))
    assert len(tried(place, "WanLoRATrainer")) == 2


def test_a_batch_tries_again_too(place: Any) -> None:
    place.misbehaving("wan_generate_video.py", NEEDS_SWAP)
    prompts = place.run("BatchProcessor", text="a cat\na dog").prompts
    assert len(place.generate(prompts=prompts, memory=memory(place, oom_retries=5)).video) == 2


def test_any_other_error_is_not_tried_again(place: Any) -> None:
    place.misbehaving("wan_generate_video.py", "raise ValueError('no')")
    with fails("script-failed", "ValueError: no"):
        place.generate(memory=memory(place, oom_retries=5))
    assert len(tried(place, "WanGenerator")) == 1


def test_prompts_after_a_retry_begin_with_the_plan_that_fitted(place: Any) -> None:
    place.misbehaving("wan_generate_video.py", NEEDS_SWAP)
    prompts = place.run("BatchProcessor", text="a cat\na dog", per_start=1).prompts
    assert len(place.generate(prompts=prompts, memory=memory(place, oom_retries=5)).video) == 2
    attempts = [each.get("blocks_to_swap") for each in tried(place, "WanGenerator")]
    assert len(attempts) > 2 and attempts[-1] == attempts[-2]


def test_a_group_out_of_memory_is_not_tried_prompt_by_prompt(place: Any) -> None:
    place.misbehaving("wan_generate_video.py", NEEDS_SWAP)
    prompts = place.run("BatchProcessor", text="a cat\na dog").prompts
    with fails("gpu-out-of-memory"):
        place.generate(prompts=prompts)
    assert len(tried(place, "WanGenerator")) == 1


def test_what_generating_took_corrects_the_plan_for_generating(place: Any) -> None:
    run = RunFolder(place.generate(width=96, height=64, video_length=5).run.folder)
    noted = run.read_json("memory.json")
    assert noted["size"] == "14B" and noted["shape"]["frames"] == 5 and not noted["shape"]["training"]
    run.write_status("done", peak_gpu_bytes=round(1.5 * noted["estimate"] * 2**30))
    asked = {"family": "wan", "mode": "80 GB", "width": 96, "height": 64, "frames": 5, "rank": 4}
    assert "corrected by 1.50" in place.run("MemoryOptimizer", use="generating", **asked).report
    assert "corrected" not in place.run("MemoryOptimizer", use="training", **asked).report


def test_a_length_that_is_left_open_is_noted_as_the_tasks_own(place: Any) -> None:
    node, models = WanGenerator(), place.models()
    inputs = node.Inputs(models=models, prompt="x")
    assert node.frames(inputs) == 81
    assert node.frames(inputs.model_copy(update={"models": models.model_copy(update={"task": "t2i-14B"})})) == 1
