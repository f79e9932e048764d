"""The node Video Input."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, Field

from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import Choices, InputFile, Native, Widget
from musubi_nodes.families.input_files import find_input
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.i18n import translate
from musubi_nodes.media.cut import RESIZE, ClipSpec
from musubi_nodes.media.ffmpeg import Watch
from musubi_nodes.media.frames import VideoFile
from musubi_nodes.media.probe import probe
from musubi_nodes.runs.record.progress import Progress

ROUNDING: Mapping[str, FrameRule] = {
    "none": FrameRule(1, 1),
    "N*4+1": FrameRule(4, 1),
    "N*8+1": FrameRule(8, 1),
    "N*36+1": FrameRule(4, 1, 9),
}
"""Lengths by model: Wan and HunyuanVideo, LTX, FramePack (window 9)."""


class VideoInput(Node):
    """Reads a video from the input folder: its frames, the video itself and its sound. All settings apply to all three.
    Unconnected outputs are not decoded."""

    id, title, category = "MusubiTuner_VideoInput", "Video Input", "MusubiTuner/Video"
    search = ("load video", "frames", "import", "mp4", "動画読み込み", "フレーム")

    lazy_outputs = frozenset({"frames", "video", "audio"})

    class Inputs(NodeInputs):
        file: Annotated[str, InputFile("video")] = Field(description="A file of the input folder, or upload one.")
        start: Annotated[float, Widget(step=0.1)] = Field(
            0.0, ge=0, le=86400, description="Where to begin, in seconds from the first frame."
        )
        length: int = Field(0, ge=0, le=100_000, description="Maximum number of frames; 0: to the end.")
        fps: Annotated[float, Widget(step=0.01)] = Field(
            0.0, ge=0, le=240,
            description="Output frames per second; 0: like the file. Lower: frames are dropped, the same ones that "
            "musubi-tuner drops for source_fps. Higher: frames are repeated. The speed stays the same.",
        )  # fmt: skip
        every_nth: int = Field(1, ge=1, le=1000, description="Of the frames left by fps, keep every Nth.")
        width: int = Field(
            0, ge=0, le=16384, description="Width in pixels; 0: as the file, or in proportion to height."
        )
        height: int = Field(
            0, ge=0, le=16384, description="Height in pixels; 0: as the file, or in proportion to width."
        )
        resize: Annotated[str, Choices(tuple(RESIZE))] = Field(
            "crop", description="If the shape differs: crop what sticks out, pad with black bars, or stretch."
        )
        rounding: Annotated[str, Choices(tuple(ROUNDING))] = Field(
            "none", description="Rounds the number of frames down to what a model takes: Wan and HunyuanVideo N*4+1, "
            "FramePack N*36+1."
        )  # fmt: skip

    class Outputs(NodeOutputs):
        frames: Annotated[Any, Native("IMAGE")] = Field(
            None, description="The frames: [frames, height, width, 3], values 0 to 1."
        )
        video: Annotated[Any, Native("VIDEO")] = Field(None, description="The same as a video, with its sound.")
        audio: Annotated[Any, Native("AUDIO")] = Field(None, description="Its sound; empty if it has none.")
        fps: float = Field(description="Frames per second of the output.")
        count: int = Field(description="Number of frames.")
        width: int = Field(description="Their width in pixels.")
        height: int = Field(description="Their height in pixels.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if "file" in linked:
            return
        facts = probe(find_input(context, "video", values["file"]))
        if not linked & values.keys():
            _cut(self.Inputs.model_construct(**values)).most(facts)

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        path = find_input(context, "video", inputs.file)
        facts, cut, watch = probe(path), _cut(inputs), watching(context, "decoding")
        frames = VideoFile(path, cut).frames(watch) if context.wanted("frames") else None
        found = len(frames) if frames is not None else VideoFile(path, cut).count(watch)
        count = ROUNDING[inputs.rounding].round_down(found)
        if not count:
            raise MusubiError(
                "frames-too-few",
                f"{path.name}: {found} frames are left, too few for {inputs.rounding}",
                fix="Take more of the file, or choose another rounding.",
            )
        video = VideoFile(path, replace(cut, length=count) if cut.picks() or count < found else cut)
        width, height = cut.size(facts)
        fps = float(cut.rate(facts))
        context.show(
            text=f"{translate('{count} frames', count=count)} · {width} x {height} · {fps:g} fps · {count / fps:.2f} s"
        )
        return self.Outputs(
            frames=frames[:count] if frames is not None else None,
            video=video if context.wanted("video") else None,
            audio=video.audio(count) if context.wanted("audio") else None,
            fps=fps, count=count, width=width, height=height,
        )  # fmt: skip


def _cut(inputs: Any) -> ClipSpec:
    """Convert the settings; the length is rounded before decoding."""
    rule: FrameRule = ROUNDING[inputs.rounding]
    length = rule.round_down(inputs.length) or inputs.length
    return ClipSpec(inputs.start, length, inputs.every_nth, inputs.fps, inputs.width, inputs.height, inputs.resize)


def watching(context: Context, stage: str) -> Watch:
    """Return a callback that shows progress and raises on interrupt."""

    def told(done: int, total: int) -> None:
        context.raise_if_interrupted()
        context.progress(Progress(stage, done, total))

    return told
