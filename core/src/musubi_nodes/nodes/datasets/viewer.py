"""The node Dataset Viewer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from pydantic import BaseModel, Field

from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import family_named
from musubi_nodes.families.fields import FamilyName, Native, Widget
from musubi_nodes.families.judging import judge
from musubi_nodes.families.node import Node, NodeInputs, NodeOutputs
from musubi_nodes.families.sockets import Dataset
from musubi_nodes.media.sheet import sheet
from musubi_nodes.nodes.datasets.cached import Cached, caches_of
from musubi_nodes.nodes.datasets.cells import Card, Entry, card_of, entries, line
from musubi_nodes.nodes.datasets.counts import counts
from musubi_nodes.nodes.datasets.loader import check_roots
from musubi_nodes.nodes.previews import image_of

_DECODERS = 4


class DatasetViewer(Node):
    """Shows a page of a dataset's pictures with their captions (of videos the first, middle and last frame), and
    summarizes it: captions, buckets, duplicates, unreadable files, and what is cached for which family. Only the shown
    page is decoded."""

    id, title, category = "MusubiTuner_DatasetViewer", "Dataset Viewer", "MusubiTuner/Dataset"
    search = ("preview dataset", "captions", "contact sheet", "check images", "データセット", "確認", "一覧")
    output_node = always_runs = True

    class Inputs(NodeInputs):
        dataset: Dataset = Field(description="The dataset.")
        page: int = Field(1, ge=1, le=1_000_000, description="Which page; the last one if there are fewer.")
        per_page: int = Field(9, ge=1, le=100, description="Pictures on a page.")
        columns: int = Field(3, ge=1, le=20, description="Pictures beside each other.")
        size: Annotated[int, Widget(step=32)] = Field(320, ge=96, le=1024, description="Width of a picture in pixels.")
        family: Annotated[str | None, FamilyName()] = Field(
            None,
            description="Which family's frame rate is used for video clips, and whose caches the cards show. any: no "
            "frames are dropped, and the caches of all families are shown.",
        )

    class Outputs(NodeOutputs):
        image: Annotated[Any, Native("IMAGE")] = Field(
            None, description="The page, for Preview Image or Save Image: [1, height, width, 3], values 0 to 1."
        )
        text: str = Field(description="Counts, and the captions of the page in full.")

    def run(self, inputs: Inputs, context: Context) -> BaseModel:
        family = family_named(context.services.families, inputs.family)
        config = inputs.dataset.config
        check_roots(config, context)
        found = scan(config)
        report = judge(found, config, inputs.dataset.missing_captions, family)
        caches = caches_of(found, inputs.dataset, family, context)
        everything = entries(found, config)
        pages = max(1, -(-len(everything) // inputs.per_page))
        page = min(inputs.page, pages)
        first = (page - 1) * inputs.per_page
        shown = everything[first : first + inputs.per_page]
        heading = f"page {page} of {pages}: {first + 1} to {first + len(shown)} of {len(everything)}"
        cards = self.cards(shown, caches, inputs, context) if context.wanted("image") else []
        lines = [*counts(found, config, caches, family.fps if family else None), *report.problems()]
        lines += [f"error: {card.trouble}" for card in cards if card.trouble]
        summary = "\n".join(lines)
        context.show(text=f"{summary}\n{heading}")
        text = "\n".join([summary, "", heading, *(line(first + n, entry) for n, entry in enumerate(shown, 1))])
        image = None
        if context.wanted("image"):
            cells = [card.cell for card in cards]
            image = image_of(sheet(cells, inputs.columns, inputs.size, f"{inputs.dataset.name}, {heading}"))
        return self.Outputs(image=image, text=text)

    def cards(self, shown: list[Entry], caches: list[Cached], inputs: Inputs, context: Context) -> list[Card]:
        context.raise_if_interrupted()
        with ThreadPoolExecutor(_DECODERS, thread_name_prefix="dataset-viewer") as pool:
            return list(pool.map(lambda entry: card_of(entry, inputs.size, caches), shown))
