"""The node Video Output."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

from pydantic import BaseModel, Field, field_validator

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import Choices, Native, Widget
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.file_names import MEDIA, plain_name
from musubi_nodes.files import publish, publish_folder
from musubi_nodes.i18n import translate
from musubi_nodes.media.encode import EncodeRequest, Source, encode, is_copied, padding
from musubi_nodes.media.formats import Format, check_rate, encoder_options, formats, unequal
from musubi_nodes.media.frames import VideoFile, source_of
from musubi_nodes.nodes.video_input import watching
from musubi_nodes.sharing import discard_folder

PICTURES_SHOWN = 16


class VideoOutput(Node):
    """Writes frames or a video as a file into output/musubi, with sound and with the workflow inside. A video that has
    the format already is copied, not encoded again. Dropped on the canvas, MP4, MOV, WebM, WebP and PNG open their
    workflow; GIF and MKV do not."""

    id, title, category, output_node = "MusubiTuner_VideoOutput", "Video Output", "MusubiTuner/Video", True
    search = ("save video", "export", "mp4", "gif", "webm", "動画保存", "書き出し")

    class Inputs(NodeInputs):
        images: Annotated[Any, Native("IMAGE")] = Field(None, description="The frames. Connect these or video.")
        video: Annotated[Any, Native("VIDEO")] = Field(
            None, description="A video: it keeps its own fps, and its sound unless audio is connected."
        )
        audio: Annotated[Any, Native("AUDIO")] = Field(None, description="Sound; cut to the length of the pictures.")
        format: Annotated[str, Choices(tuple(formats()))] = Field(
            "mp4-h264", description="mp4-h264 plays everywhere; png, mkv-ffv1 and mp4-lossless lose nothing; "
            "gif, webp and png have no sound."
        )  # fmt: skip
        fps: Annotated[float, Widget(step=0.01)] = Field(
            24.0, ge=0.01, le=240, description="Frames per second of images. A video keeps its own."
        )
        quality: int = Field(
            75, ge=0, le=100, description="100 is the best and largest. No effect on lossless formats, or on a copied "
            "video. formats.toml lists the encoder's options."
        )  # fmt: skip
        filename_prefix: str = Field(
            "video",
            description="Beginning of the file name in output/musubi. No file is overwritten.",
            examples=["other"],
        )

        @field_validator("filename_prefix")
        @classmethod
        def _plain(cls, name: str) -> str:
            return plain_name(name, *MEDIA)

    class Outputs(NodeOutputs):
        video: Annotated[Any, Native("VIDEO")] = Field(None, description="The written video; empty for png.")
        path: str = Field(description="Where it was written: the file, or the folder of the pictures.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        _check_sources("images" in linked, "video" in linked)
        if "images" in linked and not linked & {"format", "fps"}:  # a video keeps its own rate
            check_rate(formats()[values["format"]], values["fps"])
            encoder_options(formats()[values["format"]])

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        form = formats()[inputs.format]
        _check_sources(inputs.images is not None, inputs.video is not None)
        source = source_of(inputs.images if inputs.video is None else inputs.video, inputs.fps)
        previews = context.host.preview_folder
        wish = EncodeRequest(form, inputs.quality, inputs.audio, context.workflow, previews is not None)
        target = context.host.output_folder / "musubi"
        work = target / f".{uuid4().hex[:8]}.part"
        work.mkdir(parents=True)
        try:
            made = encode(source, wish, work, watching(context, "encoding"))
            written = _published(made, form, target, inputs.filename_prefix)
            context.show(*_shown(written, work, previews))
        finally:
            discard_folder(work)
        context.track_output(*written)
        place = written[0].parent if form.pictures else written[0]
        context.show(text=_summary(place, written, context.host.output_folder, source, inputs))
        return self.Outputs(video=None if form.pictures else VideoFile(place), path=str(place))


def _check_sources(images: bool, video: bool) -> None:
    if images == video:
        found = "both images and video" if images else "neither images nor a video"
        raise MusubiError(
            "inputs-conflict", f"{VideoOutput.title}: {found} are connected", fix="Connect one of the two."
        )


def _published(made: Sequence[Path], form: Format, folder: Path, prefix: str) -> list[Path]:
    if form.pictures:
        return publish_folder(made, folder, prefix)
    return [publish(made[0], folder, f"{prefix}{form.suffix}", move=True)]


def _shown(written: Sequence[Path], work: Path, previews: Path | None) -> Sequence[Path]:
    """Return the files to show: a playable copy, or the file itself."""
    copy = work / "preview.mp4"
    if previews is not None and copy.is_file():
        with contextlib.suppress(OSError):  # the preview is optional
            return [publish(copy, previews, f"{written[0].stem}-{work.name[1:9]}.mp4", move=True)]
    return written[:PICTURES_SHOWN]


def _summary(place: Path, written: Sequence[Path], output: Path, source: Source, inputs: Any) -> str:
    form = formats()[inputs.format]
    size = sum(path.stat().st_size for path in written)
    copied = is_copied(source, form)
    right, below = (0, 0) if copied else padding(source, form)
    shape = f"{source.width + right} x {source.height + below}"
    parts = [place.relative_to(output).as_posix(), shape, f"{size / 1e6:.2f} MB"]
    if copied:
        parts.append(translate("copied, not encoded again"))
    if lasting := unequal(form, source.rate):
        parts.append(lasting)
    if right or below:
        parts.append(translate("padded to an even size"))
    if inputs.audio and not form.audio:
        parts.append(translate("without sound"))
    return " · ".join(parts)
