"""What is remembered of files that were made: all of them, in their order."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.families.context import Context
from musubi_nodes.families.generating.generated_files import GeneratedFiles
from musubi_nodes.hosts.comfyui.output_tracker import OutputTracker
from musubi_nodes.testing.workplace import Workplace


def test_more_than_ten_pictures_stay_in_their_order() -> None:
    names = [Path(f"{prefix}video{n}.png") for prefix, n in (("", ""), *(("", f"-{n}") for n in range(2, 13)))]
    assert GeneratedFiles.of(names).images == tuple(names)


def test_a_node_that_gets_a_list_is_remembered_with_the_files_of_each(tmp_path: Path) -> None:
    place, kept = Workplace(tmp_path), OutputTracker()
    first, second = tmp_path / "a.mp4", tmp_path / "b.mp4"
    kept.generation("1")
    for file in (first, second):
        file.write_bytes(b"x")
        context = Context(place.host, place.services, "node")
        context.track_output(file)
        kept.record("1", context)
    assert kept.generation("1") == ""
    first.unlink()
    assert kept.generation("1") == "1 "


def test_the_next_round_forgets_what_the_last_one_made(tmp_path: Path) -> None:
    place, kept = Workplace(tmp_path), OutputTracker()
    for name in ("a.mp4", "b.mp4"):
        file = tmp_path / name
        file.write_bytes(b"x")
        context = Context(place.host, place.services, "node")
        context.track_output(file)
        kept.generation("1")
        kept.record("1", context)
    (tmp_path / "a.mp4").unlink()
    assert kept.generation("1") == ""
