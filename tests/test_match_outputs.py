"""Which output of a start for several prompts is whose."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from musubi_nodes.families.generating.appearance import Expected
from musubi_nodes.families.generating.match_outputs import match_outputs
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.runs.record.stated import STATED


def test_all_layers_of_an_output_are_its_prompts_in_their_order(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.out.mkdir()
    times = ("20261130-210000-000001", "20261130-210000-000002")
    for time in times:
        for layer in range(11):
            Image.new("RGB", (32, 16), (9 * layer + 20, 0, 0)).save(folder.out / f"{time}_layer{layer}_7_.png")
    (tmp_path / STATED).write_text(json.dumps({"outputs": [f"{time}_layer10_7_" for time in times]}), "utf-8")
    asked = dict.fromkeys((1, 2), Expected(11, (32, 16)))
    found = match_outputs(folder, "images", {1: 7, 2: 7}, asked)
    assert {number: [path.name for path in made.images] for number, made in found.items()} == {
        number: [f"{time}_layer{layer}_7_.png" for layer in range(11)] for number, time in enumerate(times, 1)
    }
