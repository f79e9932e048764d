"""Sections of a video: a chain of nodes on the canvas, one string for the script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from musubi_nodes.families import MusubiError, Native, Node, NodeInputs, NodeOutputs, Socket, Widget, translate

SEPARATOR = ";;;"


class Section(Socket):
    """One part of a video, and the parts before it. ``sections``: how many sections of the video it lasts."""

    socket: ClassVar[str] = "MUSUBI_FRAMEPACK_SECTION"

    prompt: str
    sections: int = 1
    image: Any = None
    previous: Section | None = None

    def chain(self) -> tuple[Section, ...]:
        """All parts, first to last."""
        return (*(self.previous.chain() if self.previous else ()), self)


class FramePackSection(Node):
    """One part of the video: what it shows, for how many sections, and a picture it should begin with. Several are a
    chain, first to last; connect the last one to the generator."""

    id, title, category = "MusubiTuner_FramePackSection", "FramePack Section", "MusubiTuner/Generation"
    search = ("section prompt", "timeline", "keyframe", "long video", "区間", "セクション")

    class Inputs(NodeInputs):
        previous: Section | None = Field(None, description="The part of the video before this one.")
        image: Annotated[Any, Native("IMAGE")] = Field(None, description="A picture for this part.")
        prompt: Annotated[str, Widget(multiline=True)] = Field("", description="What this part shows.")
        sections: int = Field(1, ge=1, le=100, description="Sections it lasts; the last part lasts to the end.")

    class Outputs(NodeOutputs):
        section: Section = Field(description="The chain with this part at its end.")

    def run(self, inputs: Inputs, context: Any) -> NodeOutputs:
        if not inputs.prompt.strip():
            raise MusubiError("prompt-empty", "FramePack Section: the prompt is empty", fix="Say what this part shows.")
        section = Section(prompt=inputs.prompt, sections=inputs.sections, image=inputs.image, previous=inputs.previous)
        return self.Outputs(section=section)


def indices(chain: Sequence[Section], total: int) -> list[str]:
    """Each part's place as the script writes it (``0``, ``1-2``); the last part lasts to the end.

    Raises a MusubiError where the parts need more sections than the video has.
    """
    needed = sum(part.sections for part in chain)
    if needed > total:
        lengths = ", ".join(str(part.sections) for part in chain)
        raise MusubiError(
            "framepack-sections-too-many",
            f"the sections need {needed} sections, but the video has {total}",
            fix=translate("Make the video longer, or the parts shorter (they have {lengths}).", lengths=lengths),
        )
    found, start = [], 0
    for number, part in enumerate(chain):
        end = total - 1 if number == len(chain) - 1 else start + part.sections - 1
        found.append(str(start) if start == end else f"{start}-{end}")
        start = end + 1
    return found


def joined(places: Sequence[str], texts: Sequence[str | Path]) -> str:
    """``0:first;;;1-2:second``; a single text stands alone: without a separator the script looks for no place
    (fpack_generate_video.py, parse_section_strings, v0.3.4).
    """
    for text in texts:
        if SEPARATOR in str(text):
            raise MusubiError(
                "framepack-separator-not-allowed",
                f"a text holds {SEPARATOR}: {str(text)[:80]!r}",
                why="It separates sections, and the script drops those that the video does not have.",
                fix="Use FramePack Section nodes for the parts of the video.",
            )
    if len(texts) == 1:
        return str(texts[0])
    return SEPARATOR.join(f"{place}:{text}" for place, text in zip(places, texts, strict=True))
