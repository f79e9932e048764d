"""Versions of a family's models: what differs between them, and whose caches are whose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from PIL import Image

from musubi_nodes import families
from musubi_nodes.datasets.config.toml import load
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.judging import judge
from musubi_nodes.families.picture_count import NO_PICTURES, ONE_OR_MORE
from musubi_nodes.families.sockets import Cache
from musubi_nodes.families.training.checks import check_caches
from musubi_nodes.nodes.datasets.cached import caches_of
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.fill import dataset
from musubi_nodes.testing.workplace import TOML, Workplace

PLAIN = Family("toy", "Toy", "toy", "networks.lora", versions={"edit": {"architecture": "toye", "fps": 24}})


def test_a_version_has_its_own_values_and_the_familys_others() -> None:
    edit = PLAIN.version("edit")
    assert (edit.architecture, edit.fps, edit.title) == ("toye", 24, "Toy")
    assert PLAIN.version("t2v") is PLAIN and PLAIN.architectures == ("toy", "toye")


def test_a_version_with_a_field_that_no_family_has_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="architekture"):
        replace(PLAIN, versions={"edit": {"architekture": "toye"}})


def test_an_item_counts_as_cached_if_it_is_for_any_version(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    given = place.load(place.dataset(count=3))
    for name in ("p0_0096x0064_toy", "p1_0096x0064_toye", "p1_toye_te"):
        (tmp_path / "pictures" / f"{name}.safetensors").touch()
    own = given.config.datasets[0].model_copy(update={"cache_directory": tmp_path / "pictures"})
    given = given.model_copy(update={"config": given.config.model_copy(update={"datasets": (own,)})})
    context = Context(place.host, place.services, "")
    (found,) = caches_of(scan(given.config), given, PLAIN, context)
    missing = {kind: {Path(path).stem for path in facts.missing} for (_, kind), facts in found.known.items()}
    assert missing == {"latent": {"p2"}, "text": {"p0", "p2"}}


@pytest.mark.parametrize("kind", ["latent", "text"])
def test_caches_of_another_version_are_not_trained_from(kind: str) -> None:
    caches = {f"{each}_cache": Cache(dataset=dataset(), version="edit") for each in ("latent", "text")}
    inputs = SimpleNamespace(**caches)
    check_caches(inputs, frozenset(), "edit")  # type: ignore[arg-type]
    setattr(inputs, f"{kind}_cache", Cache(dataset=dataset(), version="original"))
    with fails("cache-other-version", kind, "original", "edit"):
        check_caches(inputs, frozenset(), "edit")  # type: ignore[arg-type]


EDIT = Family("toy", "Toy", "toy", "networks.lora", item_controls=ONE_OR_MORE)


def controlled(place: Workplace, count: int, toml: str = "control_directory = '{folder}/../controls'\n") -> Any:
    (place.folder / "controls").mkdir(exist_ok=True)
    for number in range(count):
        Image.new("RGB", (32, 32)).save(place.folder / "controls" / f"p{number}.png")
    return load(place.dataset(count=2, toml=TOML + toml))


def test_a_dataset_without_the_control_pictures_that_a_version_trains_with_is_refused(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    both, none = controlled(place, 2), load(place.dataset(count=2))
    assert judge(scan(both), both, "error", EDIT).errors == ()
    (error,) = judge(scan(none), none, "error", EDIT).errors
    assert error.code == "control-count-wrong" and "p0.png" in error.text and "p1.png" in error.text
    assert judge(scan(none), none, "error", PLAIN).errors == ()


def test_a_missing_control_picture_is_told_once(tmp_path: Path) -> None:
    one = controlled(Workplace(tmp_path), 1)
    (error,) = judge(scan(one), one, "error", EDIT).errors
    assert error.code == "control-missing" and "p1.png" in error.text


def test_layers_are_for_the_versions_that_train_with_them(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    plain, layered = replace(PLAIN, item_targets=NO_PICTURES), replace(PLAIN, item_targets=ONE_OR_MORE)
    one = load(place.dataset(count=1))
    (tmp_path / "pictures" / "p0_1.png").write_bytes((tmp_path / "pictures" / "p0.png").read_bytes())
    both = load(place.dataset(count=1, toml=TOML + "multiple_target = true\n"))
    for family, right, wrong in ((plain, one, both), (layered, both, one)):
        assert judge(scan(right), right, "skip", family).errors == ()
        (error,) = judge(scan(wrong), wrong, "skip", family).errors
        assert error.code == "target-count-wrong" and "p0.png" in error.text


def test_a_setting_of_another_version_is_refused_when_it_is_changed() -> None:
    class Models(families.Models):
        version_field = "kind"
        kind: str = "edit"

    class Script(families.FamilyNode):
        title, family = "Script", replace(PLAIN, versions={"edit": {}, "layered": {}})

        class Inputs(families.ScriptInputs):
            models: Models = Models()
            layers: Annotated[int, families.ForVersions(("layered",))] = 4

    node = Script()
    for models, layers in ((Models(), 4), (Models(kind="layered"), 5)):
        node.check_versions(Script.Inputs(models=models, layers=layers))
    with fails("setting-other-version", "layers", "layered", "edit"):
        node.check_versions(Script.Inputs(layers=5))


SILENT = Family(
    "toy",
    "Toy",
    "toy",
    "networks.lora",
    ignores=frozenset({"negative_prompt"}),
    versions={"fast": {"ignores": {"cfg_scale"}}},
)


class Silent(families.ImageGenerator):
    """Knows no negative prompt; its fast version no guidance."""

    id, title, script, family = "Silent", "Silent", "zimage_generate_image.py", SILENT
    lacks = frozenset({"latent", "output_type"})

    class Inputs(families.ImageGeneratorInputs):
        models: Any
        guidance_scale: families.Scale = 4.0


def silent(version: str, **values: Any) -> Any:
    return Silent.Inputs(models=SimpleNamespace(version=version), prompt="a", **values)


def test_what_the_script_lacks_is_not_on_the_node_and_has_its_default() -> None:
    absent = {"negative_prompt", "latent", "output_type"}
    assert not absent & {*Silent.Inputs.model_fields, *Silent.Outputs.model_fields}
    given = silent("")
    assert (given.negative_prompt, given.latent, given.output_type) == ("", None, "images")
    assert "cfg_scale" in Silent.lines() and "negative_prompt" not in Silent.lines()


def test_what_a_version_ignores_is_refused_unless_it_is_untouched() -> None:
    node = Silent()
    node._check_ignored(silent("fast"))
    node._check_ignored(silent("", guidance_scale=2.0))
    with fails("setting-other-version", "fast", "guidance_scale"):
        node._check_ignored(silent("fast", guidance_scale=2.0))
