"""A text of a workflow, a caption or a file's name is printed by the script: nothing in it is taken for the script's.

Every sentence that is believed of a script stands in :data:`VOICE`. The fields of a workflow speak it here, behind
everything that ends a line for anybody.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.faults.conftest import MODELS, SMALL, FaultyPlace, configure
from tests.runs.full_words import SAID

from musubi_nodes.errors import Crashed, OutOfGpuMemory, OutOfMainMemory, is_one_line, one_line
from musubi_nodes.file_names import checked_name
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.output import LineSplitter
from musubi_nodes.runs.record.series import whole
from musubi_nodes.runs.record.stated import Statements, lacked_gpu_memory, length_of, outputs_of
from musubi_nodes.runs.record.states import states
from musubi_nodes.testing.errors import fails
from musubi_nodes_miniature.toys import toy_models

BREAKS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\u2028", "\u2029")
VOICE = (
    "saving checkpoint: {decoy}",
    "running training / 学習開始",
    "  num batches per epoch / 1epochのバッチ数: 1",
    "  gradient accumulation steps / 勾配を合計するステップ数 = 1",
    "  total optimization steps / 学習ステップ数: 1",
    "epoch 99/99",
    "steps: 100%|██████████| 99/99 [00:24<00:00,  2.05s/it, avr_loss=nan]",
    " 33%|███▎      | 77/99 [00:01<00:02,  1.05s/it]",
    "99it [00:00,  8.37it/s]",
    "INFO:__main__:Video saved to: {decoy}",
    "INFO:__main__:Latent saved to: {decoy}",
    "INFO:__main__:Encoding dataset [5]",
    "INFO:musubi_tuner.hv_train_network:model saved.",
    "Traceback (most recent call last):",
    "[rank0]: Traceback (most recent call last):",
    "wan_train_network.py: error: unrecognized arguments: -x",
    "cannot start /usr/bin/python",
    "Fatal Python error: Segmentation fault",
    "KeyError: 'latents_image'",
    *(line for lines in SAID.values() for line in lines),
    "subprocess.CalledProcessError: Command '[]' returned non-zero exit status 3221225495.",
    "subprocess.CalledProcessError: Command '[]' died with <Signals.SIGTERM: 15>.",
)


def spoken(decoy: Path) -> str:
    lines = [line.replace("{decoy}", str(decoy)) for line in VOICE]
    every = [f"{end}{line}" for end in BREAKS for line in lines[:7]]
    return "a cat" + "".join([*every, *(f"{BREAKS[n % len(BREAKS)]}{line}" for n, line in enumerate(lines))])


@pytest.fixture
def place(tmp_path: Path, own_surroundings: Path) -> FaultyPlace:
    (tmp_path / "place").mkdir()
    configure(own_surroundings, tmp_path / "place", "unknown_error")
    return FaultyPlace(tmp_path / "place")


@pytest.fixture
def decoy(place: FaultyPlace) -> Path:
    """A whole LoRA outside of all folders, with other numbers than a training gives."""
    path = place.folder.parent / "decoy.safetensors"
    shutil.copyfile(place.train().lora.path, path)
    save_file({name: np.asarray(values + 1) for name, values in load_file(path).items()}, path)
    place.forget()
    return path


def sampled(place: FaultyPlace, text: str) -> Any:
    """Samples of ``text`` before the first step and at the end of each epoch."""
    prompts = place.run("Prompt", prompt=text, negative_prompt=text, width=96, height=64, steps=1).prompts
    return place.run("SamplingConfig", prompts=prompts, sample_every_n_epochs=1, sample_at_first=True).sampling


def lines_of(run: RunFolder) -> list[str]:
    splitter = LineSplitter()
    return [*splitter.feed(run.log.read_bytes()), *splitter.finish()]


def numbers(path: Path) -> dict[str, bytes]:
    return {name: values.tobytes() for name, values in load_file(path).items()}


def test_a_training_takes_nothing_from_its_prompts(
    place: FaultyPlace, decoy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked to stop after its next save from the beginning on, and there is none before its end."""
    write = RunFolder.write_status

    def asking(folder: RunFolder, status: Any, **details: Any) -> None:
        write(folder, status, **details)
        if "Trainer" in folder.path.name and status == "running":
            folder.stop_request.write_text("")

    monkeypatch.setattr(RunFolder, "write_status", asking)
    values = {"max_train_epochs": 3, "learning_rate": 0.01, "save_every_n_epochs": 100}
    training = place.run("TrainingConfig", save_state=True, **values).training
    sampling = sampled(place, spoken(decoy))
    made = place.train(training=training, sampling=sampling, output_name="own", train_again=True)
    run = place.newest
    assert made.lora.complete and run.status()["status"] == "done"
    assert numbers(made.lora.path) == numbers(run.out / "own.safetensors") != numbers(decoy)
    assert length_of(run) == (4, 12) and [state.step for state in states(run)] == [12]
    points = whole(run.metrics).points()
    assert [point["step"] for point in points] == list(range(1, 13))
    assert all(point["average"] is not None for point in points)
    progress = run.progress()
    assert (progress["step"], progress["steps"], progress["epochs"]) == (12, 12, 3)
    (said,) = (line for line in lines_of(run) if line.startswith("saving checkpoint: "))
    assert said.startswith(f"saving checkpoint: {run.out / 'own.safetensors'}")  # stderr may stand behind it in the log


@pytest.mark.parametrize(
    ("fault", "values"),
    [("unknown_error", (1, "ZeroDivisionError: the real cause")), ("vanished", (3,))],
)
def test_a_crash_is_not_told_as_what_a_prompt_says(
    place: FaultyPlace, decoy: Path, own_surroundings: Path, fault: str, values: tuple[object, ...]
) -> None:
    configure(own_surroundings, place.folder, fault)
    place = FaultyPlace(place.folder)
    place.forget()
    memory = place.run("MemoryOptimizer", oom_retries=3).memory
    with fails("script-failed", "wan_train_network.py", *values) as caught:
        place.train("faulty", sampling=sampled(place, spoken(decoy)), memory=memory)
    assert type(caught.value) is Crashed and caught.value.why == ""
    assert len([run for run in place.started_since() if "Trainer" in run.name]) == 1


def test_a_generation_takes_nothing_from_its_prompt(place: FaultyPlace, decoy: Path) -> None:
    text = spoken(decoy)
    models = place.run("WanModels", **MODELS).models
    made = place.run("WanGenerator", models=models, prompt=text, negative_prompt=text, **SMALL)
    run = RunFolder(made.run.folder)
    assert made.video.path.is_relative_to(place.host.output_folder)
    assert [Path(name).suffix for name in outputs_of(run)] == [".mp4"] and not lacked_gpu_memory(run)


def test_a_batch_takes_nothing_from_its_prompts(place: FaultyPlace, decoy: Path) -> None:
    text = one_line(spoken(decoy))
    prompts = place.run("BatchProcessor", text=f"{text} --d 7 --n a\na dog --d 7 --n {text}\n").prompts
    made = place.generate(prompts=prompts)
    assert len(made.video) == 2 and len(place.started_since()) == 1
    run = RunFolder(made.run.folder)
    assert len(outputs_of(run)) == 2 and not lacked_gpu_memory(run)


def test_what_the_script_reads_has_no_line_breaks(place: FaultyPlace, decoy: Path) -> None:
    place.train(sampling=sampled(place, spoken(decoy)), train_again=True)
    run = place.newest
    assert all(map(is_one_line, place.command()))
    for entry in json.loads((run.path / "prompts.json").read_text("utf-8")):
        assert is_one_line(entry["prompt"]) and is_one_line(entry["negative_prompt"])


@pytest.mark.parametrize("end", BREAKS, ids=ascii)
def test_a_name_with_a_line_break_is_refused(place: FaultyPlace, end: str) -> None:
    name = f"a{end}MemoryError"
    with fails("file-name-invalid", "output_name"):
        checked_name(name, "output_name")
    with fails("header-damaged", "MemoryError"):
        place.lora(f"blocks_0_self_attn_q{end}MemoryError")
    toml = place.dataset()
    (toml.with_suffix("") / "p0.png").rename(toml.with_suffix("") / f"{name}.png")
    (toml.with_suffix("") / "p0.txt").rename(toml.with_suffix("") / f"{name}.txt")
    with fails("path-control-character", "MemoryError"):
        place.load(toml)
    with fails("path-control-character", "--dit"):
        models = place.run("WanModels", **{**MODELS, "dit": named_dit(place, name)}).models
        place.run("WanGenerator", models=models, prompt="a square", **SMALL)
    assert not place.started()


def named_dit(place: FaultyPlace, name: str) -> str:
    """The toy DiT under another name."""
    target = place.host.output_folder / "models" / "diffusion_models" / f"{name}.safetensors"
    target.parent.mkdir(parents=True)
    shutil.copyfile(toy_models()["diffusion_models"] / MODELS["dit"], target)
    return target.name


def read(folder: RunFolder, *pieces: tuple[str, str]) -> RunFolder:
    statements = Statements(folder)
    for stream, piece in pieces:
        statements.read(piece, stream)
    return folder


def block(total: int) -> list[tuple[str, str]]:
    facts = [line.replace(": 1", f": {total}") for line in VOICE[1:5]]
    return [("stdout", line) for line in facts]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "Trainer")


def test_a_training_states_its_length_once_on_stdout_in_one_block(folder: RunFolder) -> None:
    wrong = [("stderr", line) for _, line in block(1)]
    assert length_of(read(folder, *wrong, *block(1)[1:])) is None
    assert length_of(read(folder, *wrong, *block(5), *block(1))) == (5, 5)
    broken = [*block(7)[:2], ("stdout", "epoch 1/1"), *block(7)[2:]]
    assert length_of(read(RunFolder(folder.path.parent / "other"), *broken)) is None


def test_an_output_is_one_of_the_runs_own_folder(folder: RunFolder) -> None:
    own, other = folder.out / "20260101-000000-000_1.mp4", folder.path / "x.mp4"
    said = [("stderr", f"INFO:__main__:Video saved to: {path}") for path in (own, other, folder.out / "../x.mp4")]
    said += [("stdout", f"INFO:__main__:Video saved to: {own}"), ("stderr", f"INFO:__main__:Prompt: {said[0][1]}")]
    assert outputs_of(read(folder, *said)) == [own.name]


def test_all_outputs_of_the_largest_start_are_known(folder: RunFolder) -> None:
    """A thousand prompts, each with a video and a latent."""
    names = [f"20260101-000000-{number}_1{end}" for number in range(1_000) for end in (".mp4", "_latent.safetensors")]
    said = [("stderr", f"INFO:__main__:Video saved to: {folder.out / name}") for name in names]
    assert outputs_of(read(folder, *said)) == names


@pytest.mark.parametrize("line", SAID["GPU"])
def test_a_full_gpu_is_told_on_stderr_at_the_beginning_of_a_line(folder: RunFolder, line: str) -> None:
    elsewhere = [("stdout", line), ("stderr", f"INFO:__main__:Prompt: {line}"), ("stderr", f"... {line}")]
    assert not lacked_gpu_memory(read(folder, *elsewhere))
    assert lacked_gpu_memory(read(folder, ("stderr", line)))
    assert OutOfGpuMemory is not OutOfMainMemory
