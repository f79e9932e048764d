"""What the terminal takes for a workflow: exported files, what is sent to ComfyUI, and ComfyUI's own small nodes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.moving import barred

from musubi_nodes.files import write_json
from musubi_nodes.hosts.terminal.foreign import FOREIGN
from musubi_nodes.hosts.terminal.workflow import check_workflow, read_workflow, run_workflow, set_values
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace


@pytest.fixture
def place(tmp_path: Path, musubi_miniature: str) -> Workplace:
    return Workplace(tmp_path)


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def read(place: Workplace, content: Any) -> Any:
    return read_workflow(write_json(place.folder / "w.json", content), place.services.nodes)


def checked(place: Workplace, content: Any, *settings: str) -> Any:
    workflow = read(place, content)
    set_values(workflow, settings)
    return check_workflow(workflow, place.host, place.services)


def said(place: Workplace, content: Any) -> list[str]:
    workflow = read(place, content)
    return [text for _, context in run_workflow(workflow, place.host, place.services) for text in context.texts]


GRAPH = {"1": node("PrimitiveString", value="a cat"), "2": node("PreviewAny", source=["1", 0])}


@pytest.mark.parametrize(
    "content",
    [
        GRAPH,
        {"prompt": GRAPH},
        {"prompt": GRAPH, "client_id": "x", "extra_data": {"extra_pnginfo": {"workflow": {"nodes": []}}}},
        {"prompt": GRAPH, "workflow": {"nodes": [], "links": []}},
        {**GRAPH, "prompt": node("PrimitiveInt", value=1)},
    ],
    ids=["exported", "wrapped", "as sent", "as in a picture", "a node called prompt"],
)
def test_a_workflow_is_found_in_what_holds_it(place: Workplace, content: Any) -> None:
    assert said(place, content) == ["a cat"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"nodes": [], "links": [], "version": 0.4}, "workflow-not-api"),
        ({"workflow": {"nodes": [], "links": []}}, "workflow-not-api"),
        ({"prompt": {"nodes": [], "links": []}}, "workflow-not-api"),
        ([], "workflow-not-api"),
        ("text", "workflow-not-api"),
        (3, "workflow-not-api"),
        (None, "workflow-not-api"),
        ({"prompt": []}, "workflow-node-invalid"),
        ({}, "workflow-without-output"),
    ],
)
def test_what_is_no_workflow_is_told_what_to_export(place: Workplace, content: Any, code: str) -> None:
    with fails(code) as refused:
        checked(place, content)
    assert refused.value.fix


@pytest.mark.parametrize(
    ("kind", "value", "field"),
    [
        ("PrimitiveInt", 7, "seed"),
        ("PrimitiveFloat", 0.5, "learning_rate"),
        ("PrimitiveBoolean", True, "save_state"),
        ("PrimitiveString", "a cat", "metadata_title"),
        ("PrimitiveStringMultiline", "a=1\nb=2", "network_args"),
    ],
)
def test_a_constant_is_the_value_of_the_widget_that_it_is_linked_to(
    place: Workplace, kind: str, value: Any, field: str
) -> None:
    constant = node(kind, value=value, control_after_generate="fixed")
    graph = {
        "1": constant,
        "2": node(f"MusubiTuner_{'Network' if 'network' in field else 'Training'}Config", **{field: ["1", 0]}),
        "3": node("PreviewAny", source=["2", 0]),
    }
    steps = checked(place, graph)
    assert [step.inputs[field] for step in steps if field in step.inputs] == [value]
    assert [step.id for step in steps] == ["2", "3"]


def test_a_constant_is_checked_as_a_typed_value_is(place: Workplace) -> None:
    graph = {"1": node("PrimitiveInt", value=0), "2": node("MusubiTuner_NetworkConfig", network_dim=["1", 0]),
             "3": node("PreviewAny", source=["2", 0])}  # fmt: skip
    with fails("greater-than-equal", "network_dim"):
        checked(place, graph)
    assert checked(place, graph, "1.value=4")[0].inputs["network_dim"] == 4
    with fails("int-parsing", "node 1"):
        checked(place, graph, "1.value=many")


def test_constants_may_be_chained(place: Workplace) -> None:
    chain = {str(number): node("PrimitiveString", value=[str(number - 1), 0]) for number in range(1, 1_200)}
    assert said(
        place, {"0": node("PrimitiveString", value="a cat"), **chain, "x": node("PreviewAny", source=["1199", 0])}
    ) == ["a cat"]


def test_a_circle_is_told(place: Workplace) -> None:
    graph = {"1": node("PrimitiveInt", value=["2", 0]), "2": node("PrimitiveInt", value=["1", 0]),
             "3": node("PreviewAny", source=["2", 0])}  # fmt: skip
    with fails("workflow-circular"):
        checked(place, graph)


def test_a_video_of_the_input_folder_is_loaded(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    barred(place.folder / "clip.mp4", frames=9)
    monkeypatch.chdir(place.folder)
    graph = {
        "1": node("LoadVideo", file="clip.mp4", upload="video"),
        "2": node("SaveVideo", video=["1", 0], filename_prefix="copy"),
    }
    list(run_workflow(read(place, graph), place.host, place.services))
    assert (place.host.output_folder / "copy.mp4").read_bytes() == (place.folder / "clip.mp4").read_bytes()
    graph["1"]["inputs"]["file"] = "gone.mp4"
    with fails("file-missing", "gone.mp4"):
        checked(place, graph)


def test_what_the_terminal_does_not_have_is_named_with_what_it_has(place: Workplace) -> None:
    with fails("node-unknown", "KSampler", "PrimitiveInt") as refused:
        read(place, {"1": node("KSampler")})
    assert refused.value.fix


def test_files_keep_the_workflow_as_it_was_written(place: Workplace) -> None:
    workflow = read(place, GRAPH)
    ((_, context),) = run_workflow(workflow, place.host, place.services)
    assert json.loads(json.dumps(context.workflow["prompt"])) == GRAPH


def test_the_page_names_the_nodes_that_there_are() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "terminal.md").read_text("utf-8")
    assert [name for name in FOREIGN if name not in page] == []


@pytest.mark.parametrize("wide", [True, False], ids=["wide", "long"])
def test_a_workflow_takes_no_longer_than_its_length_allows(place: Workplace, wide: bool) -> None:
    def work(count: int) -> int:
        last = {"class_type": "PrimitiveString", "inputs": {"value": "a"}}
        made = {"0": last} | {
            str(n): node("PreviewAny", source=["0", 0]) if wide else node("PrimitiveString", value=[str(n - 1), 0])
            for n in range(1, count)
        }
        workflow = read(place, made | {"end": node("PreviewAny", source=["0" if wide else str(count - 1), 0])})
        calls = 0

        def counted(frame: FrameType, event: str, argument: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(counted)
        try:
            list(run_workflow(workflow, place.host, place.services))
        finally:
            sys.setprofile(None)
        return calls

    work(10)  # what is done once
    assert work(200) < 3 * work(100)
