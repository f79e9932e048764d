"""The node Training Monitor."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import Native, RunName, Widget
from musubi_nodes.families.lora import lora_of
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.sockets import Lora, Run
from musubi_nodes.i18n import translate
from musubi_nodes.media.pictures import image_picture, video_pictures
from musubi_nodes.media.plot import Curve, plot
from musubi_nodes.media.sheet import Cell, sheet
from musubi_nodes.nodes.previews import image_of, show_picture
from musubi_nodes.runs.record.checkpoints import Checkpoint, best, checkpoints
from musubi_nodes.runs.record.folder import RESUMED, RunFolder, run_named, trainings
from musubi_nodes.runs.record.progress import clock
from musubi_nodes.runs.record.samples import Sample, samples
from musubi_nodes.runs.record.series import Point, whole

MOST_CURVES = 6
ONLY_AVERAGE = (
    "The loss is musubi-tuner's own average over an epoch's steps: its environment has no TensorBoard, which would "
    "show the loss of each step and the learning rate."
)


@dataclass(frozen=True)
class _Read:
    folder: RunFolder
    points: list[Point]
    single: bool


class TrainingMonitor(Node):
    """Shows the loss of a training, running or finished, with its samples, checkpoints and numbers. Several runs can
    be laid over each other. The best checkpoint is the saved one with the lowest smoothed loss: a low loss is no
    promise of a good picture, so look at the samples too."""

    id, title, category = "MusubiTuner_TrainingMonitor", "Training Monitor", "MusubiTuner/Training"
    search = ("loss", "tensorboard", "graph", "curve", "samples", "checkpoint", "損失", "学習曲線")
    output_node = always_runs = True

    class Inputs(NodeInputs):
        run: Run | None = Field(None, description="A run. If not connected: the one chosen below.")
        name: Annotated[str | None, RunName()] = Field(
            None, description="Which run is shown, by its folder in musubi/runs. newest: the one that began last."
        )
        compare: Annotated[str, Widget(multiline=True)] = Field(
            "", description="Further runs to compare: names of run folders, one per line, at most five."
        )
        smoothing: int = Field(100, ge=0, le=100_000, description="Steps that the thick line averages over. 0: none.")
        log_scale: bool = Field(False, description="Logarithmic scale of the loss.")
        width: Annotated[int, Widget(step=32)] = Field(832, ge=256, le=4096, description="Width of the plot in pixels.")
        height: Annotated[int, Widget(step=32)] = Field(
            480, ge=192, le=4096, description="Height of the plot in pixels."
        )
        samples: int = Field(12, ge=1, le=100, description="How many of the newest samples are in the grid.")
        columns: int = Field(4, ge=1, le=20, description="Samples beside each other.")

    class Outputs(NodeOutputs):
        plot: Annotated[Any, Native("IMAGE")] = Field(
            None, description="The curve of the loss: [1, height, width, 3], values 0 to 1."
        )
        grid: Annotated[Any, Native("IMAGE")] = Field(
            None, description="The newest samples; of videos three frames: [1, height, width, 3], values 0 to 1."
        )
        last: Lora | None = Field(None, description="The last checkpoint that was saved.")
        best: Lora | None = Field(None, description="The checkpoint with the lowest smoothed loss.")
        text: str = Field(description="Status, steps, epochs, loss, learning rate, duration and checkpoints.")
        step: int = Field(0, description="The last step, counted from the training's beginning.")
        loss: float = Field(0.0, description="The smoothed loss there; 0 before there is one.")
        best_step: int = Field(0, description="The step of the best checkpoint; 0 before one is saved.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if values.get("name") and "run" not in linked:
            run_named(context.host.output_folder, values["name"])
        if "compare" not in linked:
            _further(values["compare"], context)

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        folders = _chosen(inputs, context)
        reads = [_read(folder, inputs.smoothing) for folder in folders]
        shown = reads[0]
        saved = checkpoints(shown.folder, shown.points)
        last, lowest = (saved[-1], best(saved)) if saved else (None, None)
        loras = _lora(last), _lora(lowest)
        if loras == (None, None) and context.linked and context.linked & {"last", "best"}:
            raise MusubiError(
                "checkpoint-missing",
                f"the run {shown.folder.path.name} has saved no LoRA",
                fix="Wait for its first save, or choose another run.",
            )
        title = f"{shown.folder.path.name}: loss by step" + (", logarithmic" if inputs.log_scale else "")
        picture = plot([_curve(each) for each in reads], (inputs.width, inputs.height), title, inputs.log_scale)
        show_picture(picture, f"plot_{shown.folder.path.name}", context)
        text = "\n\n".join(_summary(each) for each in reads)
        if saved:
            text += f"\n\n{_about(saved, shown.folder)}"
        context.show(text=text)
        made = samples(shown.folder)[-inputs.samples :]
        grid = _grid(made, inputs.columns, shown.folder.path.name) if context.wanted("grid") else None
        step, loss = _end(shown.points)
        return self.Outputs(
            plot=image_of(picture),
            grid=grid,
            last=loras[0],
            best=loras[1],
            text=text,
            step=step,
            loss=loss,
            best_step=lowest.step if lowest else 0,
        )


def _chosen(inputs: Any, context: Context) -> list[RunFolder]:
    output = context.host.output_folder
    if inputs.run:
        first = RunFolder(inputs.run.folder)
    elif inputs.name:
        first = run_named(output, inputs.name)
    else:
        newest = next(trainings(output), None)
        if newest is None:
            raise MusubiError("training-missing", "there is no training yet", fix="Train a LoRA, then look again.")
        first = newest
    return [first, *_further(inputs.compare, context)]


def _further(text: str, context: Context) -> list[RunFolder]:
    further = [run_named(context.host.output_folder, line.strip()) for line in text.splitlines() if line.strip()]
    if len(further) >= MOST_CURVES:
        raise MusubiError(
            "runs-too-many",
            f"compare names {len(further)} runs",
            fix=translate("Compare {most} at most.", most=MOST_CURVES - 1),
        )
    return further


def _read(folder: RunFolder, span: int) -> _Read:
    series = whole(folder.metrics, span)  # unthinned, for the loss at each checkpoint
    return _Read(folder, series.points(), series.single)


def _curve(read: _Read) -> Curve:
    raw = "loss" if read.single else "average"
    return Curve(
        f"{read.folder.path.name}{'' if read.single else ' (average loss)'}",
        [(point["step"], point.get(raw)) for point in read.points],
        [(point["step"], point.get("smooth")) for point in read.points],
    )


def _end(points: list[Point]) -> tuple[int, float]:
    smooth = (point["smooth"] for point in reversed(points) if point.get("smooth") is not None)
    return (points[-1]["step"] if points else 0), next(smooth, 0.0)


def _summary(read: _Read) -> str:
    folder, points = read.folder, read.points
    status, progress = folder.status(), folder.progress()
    steps, epochs = progress.get("steps"), progress.get("epochs")
    lines = [f"{folder.path.name}: {translate(status['status'])}"]
    if status.get("error"):
        lines.append(str(status["error"]).splitlines()[0])
    if not points:
        return "\n".join([*lines, translate("no steps")])
    step = points[-1]["step"]
    lines.append(translate("step {n} of {total}", n=step, total=steps) if steps else translate("step {n}", n=step))
    if epoch := points[-1].get("epoch") or progress.get("epoch"):
        lines.append(
            translate("epoch {n} of {total}", n=epoch, total=epochs) if epochs else translate("epoch {n}", n=epoch)
        )
    known = [point for point in points if point.get("smooth") is not None]
    if known:
        lowest = min(known, key=lambda point: point["smooth"])
        lines.append(
            translate(
                "smoothed loss: first {first:.4g}, last {last:.4g}, lowest {lowest:.4g} (step {step})",
                first=known[0]["smooth"],
                last=known[-1]["smooth"],
                lowest=lowest["smooth"],
                step=lowest["step"],
            )
        )
    if rate := next((point["lr"] for point in reversed(points) if point.get("lr") is not None), None):
        lines.append(translate("learning rate {rate:.4g}", rate=rate))
    begun, _ = folder.before
    times = [point["time"] for point in points if point.get("time") and point["step"] > begun]
    if begun:
        lines.append(
            translate(
                "resumed after step {step} from {state}", step=begun, state=folder.read_json(RESUMED).get("state", "")
            )
        )
    if len(times) > 1:
        lines.append(translate("training took {time}", time=clock(times[-1] - times[0])))
    return "\n".join(lines if read.single else [*lines, translate(ONLY_AVERAGE)])


def _about(saved: list[Checkpoint], folder: RunFolder) -> str:
    """List checkpoints; those of earlier runs with their run."""

    def name(each: Checkpoint) -> str:
        run = each.path.parents[1].name
        return each.path.name if run == folder.path.name else f"{run}/out/{each.path.name}"

    def told(each: Checkpoint) -> str:
        if each.loss is None:
            return translate("{name}: step {step}", name=name(each), step=each.step)
        return translate(
            "{name}: step {step}, smoothed loss {loss:.4g}", name=name(each), step=each.step, loss=each.loss
        )

    lines = [translate("checkpoints:"), *map(told, saved)]
    if chosen := best(saved):
        lines.append(translate("best: {name}, the lowest smoothed loss of those that were saved", name=name(chosen)))
    return "\n".join(lines)


def _lora(checkpoint: Checkpoint | None) -> Lora | None:
    """Return the socket, ``None`` for a whole model."""
    lora = lora_of(checkpoint.path) if checkpoint else None
    return lora if lora and lora.format else None


def _grid(made: list[Sample], columns: int, name: str) -> Any:
    cells = [Cell(_pictures(each), each.label, [], f"prompt {each.prompt + 1}") for each in made]
    return image_of(sheet(cells, columns, 320, f"{name}: {len(made)} samples" if made else f"{name}: no samples"))


def _pictures(sample: Sample) -> list[Any]:
    try:
        return video_pictures(sample.path, 320) if sample.is_video else [image_picture(sample.path, 320)]
    except MusubiError:  # still being written
        return []
