"""ComfyUI nodes that the terminal provides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import InputFile, Native
from musubi_nodes.families.input_files import find_input, readable
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.file_names import MEDIA, checked_name
from musubi_nodes.files import cleaned_path, is_file, is_inside, publish
from musubi_nodes.hosts.terminal.constants import CONSTANTS
from musubi_nodes.media.frames import ImageFiles, VideoFile, as_array, loaded, save_png, save_video
from musubi_nodes.media.pictures import opened_picture
from musubi_nodes.sharing import scratch_folder

CATEGORY = "terminal"
ANYTHING = "*"


class LoadImage(Node):
    """Reads a picture from the input folder."""

    id, title, category = "LoadImage", "Load Image", CATEGORY

    class Inputs(NodeInputs):
        image: str = Field(description="File in the input folder.")
        upload: str = Field("", description="The canvas adds this; it says nothing here.")

    class Outputs(NodeOutputs):
        images: Annotated[Any, Native("IMAGE")] = Field(description="The picture.")
        mask: Annotated[Any, Native("MASK")] = Field(None, description="Not made in a terminal.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if "image" not in linked:
            picture(str(values["image"]), context)

    def run(self, inputs: Any, context: Context) -> BaseModel:
        return self.Outputs(images=loaded(picture(inputs.image, context)))


def picture(name: str, context: Context) -> Path:
    folder = context.host.input_folder()
    path = folder / cleaned_path(name)
    readable(path, context)
    if not is_file(path):
        raise MusubiError("file-missing", f"the picture does not exist: {path}", fix="Correct `image` of LoadImage.")
    with opened_picture(path) as opened:
        opened.verify()
    return path


class PreviewImage(Node):
    """Accepts pictures; the terminal says where the files are."""

    id, title, category, output_node = "PreviewImage", "Preview Image", CATEGORY, True

    class Inputs(NodeInputs):
        images: Annotated[Any, Native("IMAGE")] = Field(description="Pictures.")

    class Outputs(NodeOutputs):
        pass

    def run(self, inputs: Any, context: Context) -> BaseModel:
        if isinstance(inputs.images, ImageFiles):
            context.show(*inputs.images.paths)
        return self.Outputs()


class SaveImage(PreviewImage):
    """Writes pictures into the output folder."""

    id, title = "SaveImage", "Save Image"

    class Inputs(PreviewImage.Inputs):
        filename_prefix: str = Field("ComfyUI", description="Begin of the file names.")

    def run(self, inputs: Any, context: Context) -> BaseModel:
        folder, prefix = _target(inputs.filename_prefix, context.host.output_folder)
        frames = as_array(inputs.images)
        with _beside(folder) as scratch:
            for number in range(len(frames)):
                name = f"{prefix}_{number:05d}.png"
                context.show(publish(save_png(frames, scratch / name, number), folder, name))
        return self.Outputs()


class SaveVideo(Node):
    """Copies a video, or the chosen part, into the output folder."""

    id, title, category, output_node = "SaveVideo", "Save Video", CATEGORY, True

    class Inputs(NodeInputs):
        video: Annotated[Any, Native("VIDEO")] = Field(description="The video.")
        filename_prefix: str = Field("video/ComfyUI", description="Folder and begin of the file name.")
        format: str = Field("auto", description="auto or mp4.")
        codec: str = Field("auto", description="auto or h264.")

    class Outputs(NodeOutputs):
        pass

    def run(self, inputs: Any, context: Context) -> BaseModel:
        if not isinstance(inputs.video, VideoFile):
            raise MusubiError(
                "output-not-made", "SaveVideo got no video", fix="Set output_type of the generator to video or both."
            )
        folder, name = _target(inputs.filename_prefix, context.host.output_folder)
        with _beside(folder) as scratch:
            source = save_video(inputs.video, scratch / "video.mp4", 0)
            context.show(publish(source, folder, f"{name}{source.suffix}"))
        return self.Outputs()


def _target(prefix: str, output: Path) -> tuple[Path, str]:
    """Split ``filename_prefix`` into folder and file prefix."""
    *folders, name = prefix.strip().replace("\\", "/").split("/")
    folder = output.joinpath(*(checked_name(each, "filename_prefix: the folder") for each in folders))
    if not is_inside(folder, [output]):  # through a link
        raise MusubiError(
            "path-outside-folder", f"filename_prefix {prefix!r} leaves the output folder", fix="Choose another folder."
        )
    return folder, checked_name(name, "filename_prefix", *MEDIA)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder, ".save-") as scratch:
        yield scratch


class LoadVideo(Node):
    """Hands on a video of the input folder."""

    id, title, category = "LoadVideo", "Load Video", CATEGORY

    class Inputs(NodeInputs):
        file: Annotated[str, InputFile("video")] = Field(description="File in the input folder.")

    class Outputs(NodeOutputs):
        video: Annotated[Any, Native("VIDEO")] = Field(description="The video.")

    def run(self, inputs: Any, context: Context) -> BaseModel:
        return self.Outputs(video=VideoFile(find_input(context, "video", inputs.file)))


class PreviewAny(Node):
    """Says what it is given."""

    id, title, category, output_node = "PreviewAny", "Preview as Text", CATEGORY, True

    class Inputs(NodeInputs):
        source: Annotated[Any, Native(ANYTHING)] = Field(description="Anything.")

    class Outputs(NodeOutputs):
        text: Annotated[Any, Native("STRING")] = Field(description="The same as text.")

    def run(self, inputs: Any, context: Context) -> BaseModel:
        text = str(inputs.source)
        context.show(text=text)
        return self.Outputs(text=text)


NODES = (LoadImage, LoadVideo, PreviewAny, PreviewImage, SaveImage, SaveVideo)
FOREIGN: dict[str, type[Node]] = {**{node.id: node for node in NODES}, **CONSTANTS}
