"""Trainers of whole models: what they refuse, the disk they need, and what counts as the whole model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.recognition.headers import prefixed, weights_file

from musubi_nodes.commands.tables import table
from musubi_nodes.errors import NotPossible
from musubi_nodes.families.arguments import spelled
from musubi_nodes.families.memory.plans import sparing, stronger
from musubi_nodes.families.model_fits import check_model, check_same_tensors
from musubi_nodes.families.settings import Memory, Optimizer, Training
from musubi_nodes.families.training.disk_space import Saves, check_space, saves_of, state_bytes
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.fill import build
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes_qwen_image.fine_tuner import QwenImageFineTuner
from musubi_nodes_z_image.fine_tuner import ZImageFineTuner

DIT = {"layers.0.attention.qkv.weight": (12, 4), "layers.0.attention.k_norm.weight": (4,), "__flag__": ()}
SAVED = {f"layers.0.attention.to_{each}.weight": (4, 4) for each in "qkv"} | {"layers.0.attention.norm_k.weight": (4,)}
ADAFACTOR = Optimizer(optimizer_type="Adafactor", relative_step="off")
LENGTH = {"max_train_epochs": 10, "save_every_n_epochs": 2}
FINE_TUNERS = pytest.mark.parametrize("node", [ZImageFineTuner, QwenImageFineTuner])


def check(node: Any, **values: Any) -> None:
    """Run a fine-tuner's own checks of its settings."""
    training, memory = values.pop("training", {}), values.pop("memory", {})
    inputs = build(node.Inputs).model_copy(
        update={"training": Training(**training), "memory": Memory(**memory), "optimizer": ADAFACTOR, **values}
    )
    trainer = node()
    for each in (trainer.check_precision, trainer.check_fused, trainer.check_memory):
        each(inputs)


@FINE_TUNERS
def test_what_suits_a_whole_model_passes(node: Any) -> None:
    check(node)
    check(node, fused_backward_pass=True, full_bf16=True, memory={"blocks_to_swap": 3})


@FINE_TUNERS
@pytest.mark.parametrize(
    ("code", "values", "told"),
    [
        ("settings-conflict", {"full_bf16": True, "training": {"mixed_precision": "no"}}, "mixed_precision"),
        ("setting-ignored", {"training": {"save_precision": "fp16"}}, "save_precision"),
        ("settings-conflict", {"fused_backward_pass": True, "optimizer": None}, "Adafactor"),
        (
            "settings-conflict",
            {"fused_backward_pass": True, "training": {"gradient_accumulation_steps": 2}},
            "accumulate",
        ),
        ("settings-conflict", {"memory": {"blocks_to_swap": 3}}, "blocks_to_swap"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_would_fail_or_be_ignored_is_refused(node: Any, code: str, values: dict[str, Any], told: str) -> None:
    with fails(code, told):
        check(node, **values)


def test_patched_parameters_let_other_optimizers_swap_blocks() -> None:
    check(ZImageFineTuner, block_swap_optimizer_patch_params=True, memory={"blocks_to_swap": 3}, optimizer=None)


@FINE_TUNERS
@pytest.mark.parametrize("memory", [{"fp8": "fp8"}, {"fp8": "fp8_scaled"}, {"block_swap_h2d_only": True}])
def test_memory_plans_for_loras_are_refused(node: Any, memory: dict[str, Any]) -> None:
    chosen = Memory(**memory, blocks_to_swap=1 if "block_swap_h2d_only" in memory else None)
    with pytest.raises(NotPossible):
        spelled(chosen, node().option_map(), node.script)


@FINE_TUNERS
def test_advice_after_out_of_memory_is_possible_for_a_whole_model(node: Any) -> None:
    known, options, memory = table(node.script) or {}, node().option_map(), Memory(gradient_checkpointing=False)
    while found := stronger(memory, node.family, options, 20, known, training=True):
        memory, _ = found
        spelled(memory, options, node.script)
    assert memory.blocks_to_swap == 20 and memory.fp8 == "off"
    assert sparing(Memory(), options, known) is None


@pytest.mark.parametrize(
    ("training", "saves"),
    [
        ({"save_every_n_epochs": None}, Saves(1, 0)),
        (LENGTH, Saves(5, 0)),
        ({**LENGTH, "save_last_n_epochs": 1}, Saves(3, 0)),
        ({**LENGTH, "save_state": True}, Saves(5, 5)),
        ({**LENGTH, "save_state": True, "save_last_n_epochs_state": 1}, Saves(5, 3)),
        ({"save_every_n_epochs": None, "save_state_on_train_end": True}, Saves(1, 1)),
        ({"max_train_epochs": None, "max_train_steps": 40, "save_every_n_epochs": 2}, Saves(5, 0)),
        ({"save_every_n_epochs": None, "save_every_n_steps": 8}, Saves(9, 0)),
        ({"save_every_n_epochs": None, "save_every_n_steps": 8, "save_last_n_steps": 8}, Saves(4, 0)),
    ],
)
def test_models_and_states_are_counted_as_musubi_tuner_keeps_them(training: dict[str, Any], saves: Saves) -> None:
    assert saves_of(Training(**{"max_train_epochs": 16, **training}), per_epoch=4) == saves


def test_a_state_holds_the_model_and_what_the_optimizer_remembers() -> None:
    names = ("Adafactor", "AdamW", "AdamW8bit", "bitsandbytes.optim.PagedAdamW8bit")
    assert [state_bytes(name, 4) for name in names] == [4, 12, 6, 6]


def test_a_disk_that_is_too_small_is_told_before_the_training(tmp_path: Path) -> None:
    models = tmp_path / "models" / "musubi"
    check_space("Z-Image Fine-Tuner", tmp_path, models, Saves(2, 1), model=10, state=30)
    with fails("disk-too-small", tmp_path):
        check_space("Z-Image Fine-Tuner", tmp_path, models, Saves(2, 1), model=10**15, state=3 * 10**15)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs another disk")
def test_another_disk_must_hold_the_last_model(tmp_path: Path) -> None:
    with fails("disk-too-small", "/proc"):  # which has no room at all
        check_space("Z-Image Fine-Tuner", tmp_path, Path("/proc/musubi"), Saves(0, 1), model=10, state=10)


@pytest.mark.parametrize("saved", [SAVED, DIT, {f"{name[:9]}_orig_mod.{name[9:]}": SAVED[name] for name in SAVED}])
def test_a_model_whose_tensors_were_renamed_or_split_is_whole(saved: dict[str, Any], tmp_path: Path) -> None:
    made, dit = weights_file(tmp_path / "made.safetensors", saved), weights_file(tmp_path / "dit.safetensors", DIT)
    check_same_tensors(made, dit)


@pytest.mark.parametrize(
    "saved",
    [
        {name: shape for name, shape in SAVED.items() if "to_v" not in name},
        {**DIT, "layers.0.attention.k_norm.weight": (8,)},
        {**SAVED, "layers.1.bias": (4,)},
        {},
    ],
    ids=["missing", "shape", "more", "empty"],
)
def test_a_model_that_lacks_tensors_is_not_handed_on(saved: dict[str, Any], tmp_path: Path) -> None:
    made, dit = weights_file(tmp_path / "made.safetensors", saved), weights_file(tmp_path / "dit.safetensors", DIT)
    with fails("model-tensors-differ", "made.safetensors", "dit.safetensors"):
        check_same_tensors(made, dit)


def test_a_model_of_nan_is_not_handed_on(tmp_path: Path) -> None:
    save_file({"a": np.full(4, np.nan, np.float32)}, tmp_path / "made.safetensors")
    with fails("model-not-finite", "made.safetensors"):
        check_model(tmp_path / "made.safetensors", tmp_path / "log.txt")
    with fails("output-missing", "gone.safetensors"):
        check_model(tmp_path / "gone.safetensors", tmp_path / "log.txt")


@FINE_TUNERS
def test_a_model_with_comfyuis_prefix_is_refused(node: Any, tmp_path: Path) -> None:
    dit = weights_file(tmp_path / "dit.safetensors", prefixed("model.diffusion_model.", DIT))
    inputs = build(node.Inputs)
    inputs = inputs.model_copy(update={"models": inputs.models.model_copy(update={"dit": str(dit)})})
    with fails("model-prefix-unsupported", "dit.safetensors"):
        node().check_model(inputs)


def test_training_monitor_hands_a_whole_model_on_as_no_lora(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    run = RunFolder.create(place.host.output_folder, "ZImageFineTuner")
    save_file({"layers.0.bias": np.ones(4, np.float32)}, run.out / "my_model.safetensors", {"ss_steps": "4"})
    made = place.run("TrainingMonitor", name=run.path.name)
    assert made.last is None and made.best is None and made.best_step == 4
