from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musubi_nodes.datasets.config.schema import DatasetConfig
from musubi_nodes.datasets.config.toml import effective, load, parse
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.errors import MusubiError
from musubi_nodes.families.caches.node import CacheNode
from musubi_nodes.families.context import Context
from musubi_nodes.media.frames import save_video
from musubi_nodes.media.sheet import sheet
from musubi_nodes.nodes.datasets.cached import Cached, CacheFacts, caches_of
from musubi_nodes.nodes.datasets.cells import card_of, entries
from musubi_nodes.testing.errors import fails, says
from musubi_nodes.testing.workplace import Workplace


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    made = Workplace(tmp_path)
    made.dataset()
    return made


def edit(place: Workplace, **values: Any) -> Any:
    given = {"width": 96, "height": 64} | values
    if "toml" not in values:
        given.setdefault("source", str(place.folder / "pictures"))
    return place.run("DatasetConfigEditor", **given)


def tables(made: Any) -> list[dict[str, Any]]:
    return [one.model_dump() for one in effective(load(Path(made.path)))]


def videos(place: Workplace, frames: int = 9) -> str:
    folder = place.folder / "clips"
    folder.mkdir()
    save_video(np.full((frames, 64, 96, 3), 0.5, np.float32), folder / "a.mp4", 16)
    (folder / "a.txt").write_text("海辺を走る犬", "utf-8")
    return str(folder)


def test_what_is_made_is_the_same_dataset_as_when_its_toml_is_loaded(place: Workplace) -> None:
    made = edit(place, batch_size=2)
    loaded = place.load(Path(made.path))
    assert made.dataset.fingerprint == loaded.fingerprint and made.dataset.source == loaded.source
    assert tables(made) == [one.model_dump() for one in effective(loaded.config)]
    assert Path(made.path) == place.host.output_folder / "musubi" / "datasets" / "dataset.toml"


def test_a_chain_holds_all_in_order(place: Workplace) -> None:
    first = edit(place, name="one")
    both = edit(place, name="both", previous=first.dataset, source=videos(place), kind="video", target_frames="1, 5")
    kinds = [(table.get("image_directory"), table.get("video_directory")) for table in tables(both)]
    assert kinds == [(place.folder / "pictures", None), (None, place.folder / "clips")]
    assert "4 images" in both.summary and "1 video" in both.summary
    assert len(tables(first)) == 1


def test_an_edit_changes_what_was_changed_and_nothing_else(place: Workplace) -> None:
    path = place.folder / "mine.toml"
    text = "[general]\ncaption_extension = '.txt'\nresolution = 64\n[[datasets]]\nimage_directory = 'pictures'\n"
    path.write_text(f"{text}batch_size = 4\n[[datasets]]\nimage_directory = 'pictures'\ncache_directory = 'c'\n")
    before = path.read_bytes()
    made = place.run("DatasetConfigEditor", toml=str(path), entry=1, num_repeats=3, cache_directory="d", name="new")
    first, second = tables(made)
    assert (first["batch_size"], first["resolution"], first["num_repeats"]) == (4, (64, 64), 1)
    assert (second["num_repeats"], second["resolution"]) == (3, (64, 64))
    assert second["cache_directory"] == place.host.input_folder() / "d" and path.read_bytes() == before
    whole = place.run("DatasetConfigEditor", toml=str(path), replace="all", cache_directory="d", name="new")
    assert tables(whole)[0]["batch_size"] == 1 and tables(whole)[0]["resolution"] == (960, 544)


def test_an_edit_may_mend_what_is_missing(place: Workplace) -> None:
    path = place.folder / "mine.toml"
    path.write_text("[[datasets]]\nimage_directory = 'pictures'\nenable_bucket = true\n")
    with fails("caption-extension-missing", "datasets[0]") as told:
        place.run("DatasetConfigEditor", toml=str(path))
    assert "also_set" in told.value.fix
    written = place.run("DatasetConfigEditor", toml=str(path), also_set="caption_extension")
    assert tables(written)[0]["caption_extension"] == ".txt"
    made = place.run("DatasetConfigEditor", toml=str(path), replace="all")
    assert tables(made)[0]["caption_extension"] == ".txt"


def test_another_source_takes_the_place_of_the_old_one(place: Workplace) -> None:
    first = edit(place)
    made = place.run("DatasetConfigEditor", toml=first.path, kind="video", source=videos(place), target_frames="5")
    (table,) = tables(made)
    assert table["video_directory"] == place.folder / "clips" and "image_directory" not in table


COMMENTED = """# of cats
[general]
caption_extension = '.txt'  # beside them
resolution = [64, 64]

# the first
[[datasets]]
image_directory = 'pictures'
num_repeats = 2  # enough
"""


def test_an_edit_keeps_the_comments(place: Workplace) -> None:
    path = place.folder / "mine.toml"
    path.write_text(COMMENTED, "utf-8")
    made = place.run("DatasetConfigEditor", toml=str(path), num_repeats=3, name="new")
    told = [line.partition("#")[2] for line in made.toml.splitlines() if "#" in line]
    assert told == [" of cats", " beside them", " the first", " enough"]
    assert tables(made)[0]["num_repeats"] == 3
    both = edit(place, name="both", previous=made.dataset)
    assert both.toml.startswith(made.toml.rstrip()) and len(tables(both)) == 2
    again = place.run("DatasetConfigEditor", toml=str(path), previous=both.dataset, name="third")
    assert again.summary.count("mine.toml") == made.summary.count("mine.toml") + 1 and len(tables(again)) == 3


def test_comments_in_the_written_file_stay_in_it(place: Workplace) -> None:
    path = Path(edit(place).path)
    path.write_text(f"{path.read_text('utf-8')}# mine\n", "utf-8")
    made = edit(place, batch_size=2)
    assert "# mine" in path.read_text("utf-8") and "batch_size = 2" in made.toml
    assert "dataset.toml.bak" in made.summary
    assert "# mine" in path.with_name("dataset.toml.bak").read_text("utf-8")


def test_comments_that_have_no_place_are_told(place: Workplace) -> None:
    path = place.folder / "mine.toml"
    path.write_text("datasets = [{image_directory = 'pictures', caption_extension = '.txt'}] # mine\n", "utf-8")
    made = place.run("DatasetConfigEditor", toml=str(path), name="new")
    assert "mine.toml" in made.summary and len(tables(made)) == 1


@pytest.mark.parametrize(
    ("values", "code", "value"),
    [
        ({"source": ""}, "dataset-source-missing", ""),
        ({"target_frames": "5"}, "key-misplaced", "target_frames = [5]"),
        ({"frame_extraction": "slide"}, "key-misplaced", "frame_extraction = 'slide'"),
        ({"kind": "video", "multiple_target": True}, "key-misplaced", "multiple_target = true"),
        ({"target_frames": "1, x"}, "numbers-invalid", "target_frames"),
        ({"source": "nowhere"}, "folder-missing", "nowhere"),
        ({"control_width": 512}, "setting-missing", "control_height"),
        ({"name": "../x"}, "file-name-invalid", "name"),
        ({"caption_extension": "txt"}, "caption-extension-invalid", "'.txt'"),
        ({"enable_bucket": False, "width": 112, "height": 65}, "resolution-not-a-multiple", "112x65"),
        ({"family": "wann"}, "family-unknown", "'wan'"),
        ({"toml": "nowhere.toml"}, "file-missing", "nowhere.toml"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(
    place: Workplace, values: dict[str, Any], code: str, value: str
) -> None:
    with fails(code, value):
        edit(place, **values)
    assert not (place.host.output_folder / "musubi").exists()


def test_what_the_widgets_hold_is_no_fault_of_a_file(place: Workplace) -> None:
    with fails("resolution-not-a-multiple", "950x541") as told:
        edit(place, width=950, height=541, enable_bucket=False)
    text = "[[datasets]]\nimage_directory = 'pictures'\ncaption_extension = '.txt'\nresolution = [950, 541]\n"
    with fails("resolution-not-a-multiple", "950x541") as of_a_file:
        place.load(Path(own_toml(place, text)))
    assert told.value.problems == of_a_file.value.problems
    assert told.value.what != of_a_file.value.what and told.value.fix != of_a_file.value.fix


def test_an_entry_that_is_not_there_is_named(place: Workplace) -> None:
    first = edit(place)
    with fails("dataset-entry-missing", 1, 3):
        edit(place, toml=first.path, entry=3)


def test_lengths_and_rates_are_those_of_the_chosen_family(place: Workplace) -> None:
    video = {"kind": "video", "source": videos(place), "target_frames": "9"}
    assert "N*4+1" in edit(place, family="wan", **video).summary
    with fails("frames-not-allowed", "N*36+1", 37):
        edit(place, family="framepack", **video)
    warned = [
        line for line in edit(place, family="hunyuan", **video).summary.splitlines() if line.startswith("warning")
    ]
    assert any("24" in line and "a.mp4" in line for line in warned)


def test_a_changed_caption_is_a_change(place: Workplace) -> None:
    node = place.node("DatasetConfigEditor")
    inputs = node.parse({"source": str(place.folder / "pictures")})
    context: Any = type("C", (), {"host": place.host, "services": place.services})
    before = node().changed(inputs, context)
    (place.folder / "pictures" / "p0.txt").write_text("another")
    assert node().changed(inputs, context) != before


GENERAL = "[general]\ncaption_extension = '.txt'\nenable_bucket = false\nresolution = [96, 64]\n"
OWN = "[[datasets]]\nimage_directory = 'pictures'\nbatch_size = 4\nnum_repeats = 5\n"


def own_toml(place: Workplace, text: str = GENERAL + OWN) -> str:
    path = place.folder / "mine.toml"
    path.write_text(text, "utf-8")
    return str(path)


def change(place: Workplace, toml: str, **values: Any) -> Any:
    return place.run("DatasetConfigEditor", toml=toml, name="new", **values)


def test_a_widget_at_its_default_leaves_the_files_value_and_that_is_said(place: Workplace) -> None:
    made = change(place, own_toml(place))
    assert (tables(made)[0]["batch_size"], tables(made)[0]["enable_bucket"]) == (4, False)
    assert "nothing of datasets[0] was changed" in made.summary
    (left,) = [line for line in made.summary.splitlines() if "also_set" in line]
    for words in ("batch_size 4", "num_repeats 5", "enable_bucket false", "width 96", "height 64"):
        assert words in left


def test_what_also_set_names_is_written_although_it_is_the_default(place: Workplace) -> None:
    made = change(place, own_toml(place), also_set="batch_size, enable_bucket num_repeats")
    (table,) = tables(made)
    assert (table["batch_size"], table["enable_bucket"], table["num_repeats"]) == (1, True, 1)
    assert "datasets[0].batch_size: 4 -> 1" in made.summary
    assert "datasets[0].enable_bucket: false in [general] -> true" in made.summary


def test_one_side_of_a_resolution_changes_only_that_side(place: Workplace) -> None:
    made = change(place, own_toml(place), width=512)
    assert tables(made)[0]["resolution"] == (512, 64)
    assert "datasets[0].resolution: [96, 64] in [general] -> [512, 64]" in made.summary
    assert "height 64" in made.summary and "width 96" not in made.summary
    both = change(place, own_toml(place), also_set="resolution")
    assert tables(both)[0]["resolution"] == (960, 544)
    square = change(place, own_toml(place, GENERAL + OWN + "control_resolution = 128\n"), control_height=64)
    assert tables(square)[0]["control_resolution"] == (128, 64)
    with fails("setting-missing", "control_width", "control_height"):
        change(place, own_toml(place), control_height=64)


def test_kind_counts_for_the_source_of_the_file_too(place: Workplace) -> None:
    videos(place)
    toml = own_toml(place, GENERAL + "[[datasets]]\nimage_directory = 'clips'\n")
    made = change(place, toml, kind="video", target_frames="5")
    assert tables(made)[0]["video_directory"] == place.folder / "clips"
    assert "image_directory" in made.summary and "video_directory" in made.summary
    again = change(place, made.path, source=str(place.folder / "clips"))
    assert tables(again)[0]["video_directory"] == place.folder / "clips" and "kind video" in again.summary


def test_an_empty_widget_that_also_set_names_removes_the_value(place: Workplace) -> None:
    toml = own_toml(place, GENERAL + OWN + "cache_directory = 'c'\n")
    assert "cache_directory" in change(place, toml).summary.split("also_set")[0]
    made = change(place, toml, also_set="cache_directory")
    assert tables(made)[0]["cache_directory"] is None and "cache_directory: 'c' -> not set" in made.summary


def test_a_name_that_no_widget_has_is_told(place: Workplace) -> None:
    with fails("widget-unknown", "batchsize", "'batch_size'"):
        change(place, own_toml(place), also_set="batchsize")


def test_the_general_values_of_an_edited_file_stay_general(place: Workplace) -> None:
    made = change(place, own_toml(place), num_repeats=3)
    text = Path(made.path).read_text("utf-8")
    assert text.startswith("[general]") and text.count("resolution") == 1
    assert "resolution" not in text.split("[[datasets]]")[1] and "num_repeats = 3" in text


def test_general_values_can_be_set(place: Workplace) -> None:
    toml = own_toml(place, GENERAL + OWN + "[[datasets]]\nimage_directory = 'pictures'\ncache_directory = 'c'\n")
    made = change(place, toml, batch_size=2, cache_directory="d", write_to="general")
    first, second = tables(made)
    assert (first["batch_size"], second["batch_size"]) == (2, 2)
    assert first["cache_directory"] == place.host.input_folder() / "d"
    assert "general.batch_size: not set -> 2" in made.summary
    assert "datasets[0].batch_size: 4 -> 2 in [general]" in made.summary
    text = Path(made.path).read_text("utf-8")
    assert text.count("batch_size") == 1
    new = edit(place, write_to="general", name="fresh")
    assert "resolution" in new.toml.split("[[datasets]]")[0] and "resolution" not in new.toml.split("[[datasets]]")[1]


def test_a_chain_keeps_each_datasets_values_whatever_is_general(place: Workplace) -> None:
    first = place.load(Path(own_toml(place, GENERAL + "bucket_no_upscale = true\nbatch_size = 3\n" + OWN)))
    both = edit(place, previous=first, name="both", source=videos(place), kind="video", target_frames="5")
    one, other = tables(both)
    assert (one["batch_size"], other["batch_size"]) == (4, 1)
    assert (one["bucket_no_upscale"], other["bucket_no_upscale"]) == (True, False)
    assert both.toml.startswith("[general]")
    with fails("settings-conflict", "write_to"):
        edit(place, previous=first, write_to="general")


PATHS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'\"~:"), min_size=1).map(
    lambda text: f"x{text.strip()}x"
)
SIDES = st.tuples(*[st.integers(2, 500).map(lambda n: n * 16)] * 2)
SHARED = {
    "caption_extension": st.just(".txt"), "resolution": SIDES, "batch_size": st.integers(1, 64),
    "num_repeats": st.integers(1, 99), "bucket_no_upscale": st.booleans(), "cache_directory": PATHS,
    "control_directory": PATHS, "fp_latent_window_size": st.integers(1, 20),
}  # fmt: skip
IMAGE = SHARED | {
    "multiple_target": st.booleans(), "no_resize_control": st.booleans(), "control_resolution": SIDES,
    "fp_1f_clean_indices": st.lists(st.integers(-5, 50), max_size=100), "fp_1f_target_index": st.integers(-5, 50),
    "fp_1f_no_post": st.booleans(),
}  # fmt: skip
VIDEO = SHARED | {
    "target_frames": st.lists(st.integers(1, 200), min_size=1, max_size=100),
    "source_fps": st.floats(0.5, 240) | st.integers(1, 240),
    "frame_extraction": st.sampled_from(["head", "chunk", "slide", "uniform", "full"]),
    "frame_stride": st.integers(1, 99), "frame_sample": st.integers(1, 99), "max_frames": st.integers(1, 999),
}  # fmt: skip


def _tables(source: str, optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    needed = {source: PATHS, "caption_extension": st.just(".txt"), "enable_bucket": st.booleans()}
    return st.fixed_dictionaries(needed, optional={k: v for k, v in optional.items() if k not in needed})


CONFIGS = st.lists(
    st.one_of(
        _tables("image_directory", IMAGE), _tables("image_jsonl_file", IMAGE),
        _tables("video_directory", VIDEO), _tables("video_jsonl_file", VIDEO),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(CONFIGS, st.fixed_dictionaries({}, optional={"resolution": SIDES, "batch_size": st.integers(1, 9)}))
def test_random_configurations_survive_writing_and_reading(raw: list[dict[str, Any]], general: dict[str, Any]) -> None:
    from musubi_nodes.datasets.config.toml import loads
    from musubi_nodes.datasets.config.writing import dumps

    base = Path(tempfile.gettempdir()).absolute()
    plain = [{k: list(v) if isinstance(v, tuple) else v for k, v in table.items()} for table in raw]
    config: DatasetConfig = parse({"general": general, "datasets": plain}, base=base)
    again = loads(dumps(config), base=Path("/elsewhere").absolute())
    assert [one.model_dump() for one in effective(again)] == [one.model_dump() for one in effective(config)]
    assert dumps(again) == dumps(config)
    changed = parse({"general": {}, "datasets": [*plain[1:], plain[0]]}, base=base)
    assert tomli.loads(dumps(changed, f"# mine\n{dumps(config)}")) == tomli.loads(dumps(changed))


def foresee(place: Workplace, name: str, linked: set[str] | None = None, **values: Any) -> None:
    node, pictures = place.node(name), str(place.folder / "pictures")
    values = {name: pictures if value == "PICTURES" else value for name, value in values.items()}
    node().validate(node.known(values), linked or set(), Context(place.host, place.services))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, "dataset-source-missing"),
        ({"source": "nowhere"}, "folder-missing"),
        ({"toml": "nowhere.toml"}, "file-missing"),
        ({"source": "PICTURES", "target_frames": "5"}, "key-misplaced"),
        ({"source": "PICTURES", "width": 100, "enable_bucket": False}, "resolution-not-a-multiple"),
        ({"source": "PICTURES", "family": "framepack"}, "framepack-control-directory-missing"),
    ],
)
def test_the_editor_foresees_what_would_fail(place: Workplace, values: dict[str, Any], code: str) -> None:
    with fails(code):
        foresee(place, "DatasetConfigEditor", **values)
    with fails(code):
        foresee(place, "DatasetConfigEditor", {"previous"}, **values)


def test_what_comes_over_a_link_is_not_foreseen(place: Workplace) -> None:
    foresee(place, "DatasetConfigEditor", source="PICTURES")
    foresee(place, "DatasetConfigEditor", {"source"})
    foresee(place, "DatasetConfigEditor", {"toml"})
    foresee(place, "DatasetConfigEditor", source="nowhere", on_errors="show")
    foresee(place, "DatasetConfigLoader", {"path"})
    with fails("file-missing", "nowhere.toml"):
        foresee(place, "DatasetConfigEditor", {"name"}, toml="nowhere.toml")


@pytest.mark.parametrize(("path", "code"), [("", "path-empty"), ("x.toml", "file-missing"), ("bad", "key-unknown")])
def test_the_loader_foresees_a_file_that_is_not_there_or_does_not_fit(place: Workplace, path: str, code: str) -> None:
    bad = own_toml(place, f"{GENERAL}{OWN}no_such = 1\n")
    with fails(code):
        foresee(place, "DatasetConfigLoader", path=bad if path == "bad" else path)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"target_frames": "0", "kind": "video"}, "frames-not-allowed"),
        ({"caption_extension": "txt"}, "caption-extension-invalid"),
    ],
)
def test_values_that_no_dataset_takes_are_told_before_the_queue(
    place: Workplace, values: dict[str, Any], code: str
) -> None:
    with fails(code, next(iter(values))):
        place.node("DatasetConfigEditor").parse({"source": "x", **values}, partly=True, linked={"previous"})


def test_a_full_video_is_told_by_its_longest_clip(place: Workplace) -> None:
    made = edit(place, kind="video", source=videos(place), frame_extraction="full", max_frames=37)
    assert "full, up to 37 frames" in made.summary


def test_what_a_family_cannot_take_is_told_in_the_editor(place: Workplace) -> None:
    with fails("framepack-control-directory-missing", "datasets[0]", place.folder / "pictures"):
        edit(place, family="framepack", fp_1f_clean_indices="0")
    assert edit(place, family="wan").dataset


def test_a_wrong_folder_says_where_the_editors_paths_count_from(place: Workplace) -> None:
    with fails("folder-missing", place.host.input_folder() / "nowhere"):
        edit(place, source="nowhere")


def broken(place: Workplace) -> None:
    """A picture that cannot be read, and two of one name."""
    folder = place.folder / "pictures"
    (folder / "p0.png").write_bytes(b"<html>")
    (folder / "p1.jpg").write_bytes((folder / "p1.png").read_bytes())


@pytest.mark.parametrize("node", ["loader", "editor"])
def test_a_broken_dataset_can_be_seen_but_not_cached(place: Workplace, node: str) -> None:
    broken(place)

    def dataset(**values: Any) -> Any:
        if node == "loader":
            return place.load(Path(own_toml(place)), **values)
        return edit(place, **values).dataset

    with fails("image-unreadable", "p0.png") as stopped:
        dataset()
    shown = dataset(on_errors="show")
    seen = view(place, shown)
    assert str(stopped.value.problems[0]) in seen.text and "p1.jpg = p1.png" in seen.text
    assert seen.image.shape[2] == 3
    assert not (place.host.output_folder / "musubi" / "datasets").exists()
    caches = [one for one in place.services.nodes if issubclass(one, CacheNode)]
    assert len(caches) >= 6
    for cache in caches:
        with pytest.raises(MusubiError) as refused:
            cache().run(SimpleNamespace(dataset=shown), Context(place.host, place.services))
        assert str(refused.value) == str(stopped.value)


def test_a_folder_that_is_not_there_can_be_seen_to_be_missing(place: Workplace) -> None:
    shown = edit(place, source="nowhere", on_errors="show").dataset
    seen = view(place, shown)
    (error,) = shown.errors
    assert says(error, "folder-missing", "nowhere") and error.text in seen.text and seen.image.shape[2] == 3


def test_the_same_content_in_two_datasets_is_told(place: Workplace) -> None:
    place.dataset("others", count=2)
    entry = "[[datasets]]\nimage_directory = '{}'\ncache_directory = '{}'\n"
    two = GENERAL + entry.format("pictures", "c") + entry.format("others", "d")
    text = view(place, place.load(Path(own_toml(place, two)))).text
    assert "same content in several datasets: " in text
    assert "datasets[0] p0.png = datasets[1] p0.png" in text and "p3.png =" not in text
    twice = GENERAL + entry.format("pictures", "c") + entry.format("pictures", "d")
    assert "same content" not in view(place, place.load(Path(own_toml(place, twice)))).text


def view(place: Workplace, dataset: Any, **values: Any) -> Any:
    return place.run("DatasetViewer", dataset=dataset, **values)


def test_the_viewer_counts_and_shows_captions_in_full(place: Workplace) -> None:
    folder = place.folder / "pictures"
    (folder / "p1.txt").write_text("", "utf-8")
    (folder / "p2.txt").unlink()
    (folder / "p9.png").write_bytes((folder / "p0.png").read_bytes())
    (folder / "p9.txt").write_text("雨の路地 " * 40, "utf-8")
    made = edit(place, missing_captions="skip")
    text = view(place, made.dataset).text
    for words in (
        "4 images", "captions: 3 filled, 1 empty, 1 missing", "same content: p0.png = p9.png", "buckets: 96x64: 4",
        "cached: nothing yet", "p2.png: (no caption)", "p1.png: (empty caption)", ("雨の路地 " * 40).strip(),
    ):  # fmt: skip
        assert words in text


def test_only_the_page_is_decoded(place: Workplace) -> None:
    made = edit(place)
    broken = place.folder / "pictures" / "p3.png"
    broken.write_bytes(broken.read_bytes()[:60])  # its header is whole, its pixels are gone
    first = view(place, made.dataset, per_page=3)
    assert "page 1 of 2: 1 to 3 of 4" in first.text and first.image.shape[2] == 3
    assert "p3.png" not in first.text
    last = view(place, made.dataset, per_page=3, page=99, size=128)
    assert "error: datasets[0]: p3.png" in last.text and "truncated" in last.text
    assert "page 2 of 2: 4 to 4 of 4" in last.text and last.image.shape[1] < 200


def test_the_viewer_shows_videos_and_the_clips_that_are_cut(place: Workplace) -> None:
    made = edit(place, kind="video", source=videos(place), target_frames="1, 5")
    found = view(place, made.dataset)
    assert "96x64x1: 1, 96x64x5: 1" in found.text and "a.mp4: 海辺を走る犬" in found.text
    assert 0 < found.image.max() <= 1


def test_a_dataset_that_broke_later_is_shown_with_what_is_wrong(place: Workplace) -> None:
    made = edit(place)
    (place.folder / "pictures" / "p0.png").write_bytes(b"<html>")
    text = view(place, made.dataset).text
    assert any("p0.png" in line for line in text.splitlines() if line.startswith("error: datasets[0]"))
    assert "p0.png: a square, number 0" in text


def test_caches_are_counted_for_the_family_that_has_them(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    from musubi_nodes.families.caches.node import cached_dataset

    made = edit(place)
    (part,) = cached_dataset(made.dataset, place.host.output_folder, "wan").config.datasets
    assert part.cache_directory
    part.cache_directory.mkdir(parents=True)
    (part.cache_directory / "p0_0096x0064_wan.safetensors").touch()
    for number in range(3):
        (part.cache_directory / f"p{number}_wan_te.safetensors").touch()
    text = view(place, made.dataset).text
    assert "cached for Wan: 1 of 4 latents, 3 of 4 texts" in text and "FramePack" not in text
    assert "no latents for Wan: p1.png, p2.png, p3.png" in text and "no texts for Wan: p3.png" in text
    chosen = view(place, made.dataset, family="framepack").text
    assert "cached for FramePack: 0 of 4 latents, 0 of 4 texts" in chosen


def test_cards_tell_what_is_cached(place: Workplace) -> None:
    (place.folder / "pictures" / "p3.txt").unlink()
    config = edit(place, missing_captions="skip").dataset.config
    found = scan(config)
    first, second = (str(place.folder / "pictures" / f"p{number}.png") for number in range(2))
    known = {(0, "latent"): CacheFacts(frozenset([second])), (0, "text"): CacheFacts(stale=frozenset([first]))}
    cards = [card_of(entry, 128, [Cached("Wan", False, known)]).cell for entry in entries(found, config)]
    assert [[dict(marks.badges) for marks in card.marks] for card in cards] == [
        [{"latents": True, "texts": None}],
        [{"latents": False, "texts": True}],
        [{"latents": True, "texts": True}],
        [],
    ]
    assert sheet(cards, 2, 128, "x").size[1] > sheet([replace(card, marks=()) for card in cards], 2, 128, "x").size[1]


def test_a_path_that_a_list_spells_oddly_is_marked_as_well(place: Workplace) -> None:
    folder = place.folder / "pictures"
    listed = place.folder / "list.jsonl"
    lines = [{"image_path": f"{folder}//p{number}.png", "caption": "x"} for number in range(2)]
    listed.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    made = edit(place, source=str(listed), cache_directory=str(place.folder / "c"))
    (place.folder / "c").mkdir()
    (place.folder / "c" / "p0_wan_te.safetensors").touch()
    found = scan(made.dataset.config)
    context = Context(place.host, place.services)
    (wan,) = caches_of(found, made.dataset, None, context)
    cards = [card_of(entry, 96, [wan]).cell for entry in entries(found, made.dataset.config)]
    assert [dict(card.marks[0].badges) for card in cards] == [
        {"latents": False, "texts": True},
        {"latents": False, "texts": False},
    ]


def test_the_viewer_looks_again_at_each_queue(place: Workplace) -> None:
    from musubi_nodes.hosts.comfyui.emit import changed

    node = place.node("DatasetViewer")
    assert changed(node, place.services, {}) != changed(node, place.services, {})


def test_beyond_loopback_a_list_names_only_files_of_the_allowed_folders(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The viewer would show a stranger any picture of the server."""
    monkeypatch.setattr(place.host, "trusted", False)
    secret = place.folder / "pictures" / "p0.png"
    listed = place.host.output_folder / "list.jsonl"
    listed.parent.mkdir(parents=True, exist_ok=True)
    line = {"image_path": secret.as_posix(), "caption": "x"}
    listed.write_text(json.dumps(line), "utf-8")
    with fails("path-not-allowed", secret):
        edit(place, source=str(listed))
