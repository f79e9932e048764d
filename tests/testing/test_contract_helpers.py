"""The helpers for plugins' tests: they accept what a script accepts, and fail where it would."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from musubi_nodes import families
from musubi_nodes.commands.tables import OptionSpec
from musubi_nodes.families import Family, Install, NodeOutputs, Option, ToolInputs, ToolNode
from musubi_nodes.testing.contract import Case, cases, options_of, set_twice, unreachable
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.parsers import Refused

SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, help="how deep")
parser.add_argument("--mode", choices=["a", "b"], default="a")
parser.add_argument("--secret_depth", type=int)
parser.add_argument("--vae", type=str)
parser.parse_args()
"""


class Dig(ToolNode):
    """Digs."""

    id, title, script = "Dig", "Dig", "dig.py"
    family = Family("dig", "Dig", "dig", "networks.lora_dig")

    class Inputs(ToolInputs):
        depth: Annotated[int, Option()] = Field(1, ge=1, le=9, description="How deep.")
        mode: Annotated[str, Option()] = Field("a", examples=["b"], description="How.")

    class Outputs(NodeOutputs):
        pass


def variant(name: str, annotation: Any, field: Any) -> type[ToolNode]:
    """The node with one field more."""
    inputs = type("Inputs", (Dig.Inputs,), {"__annotations__": {name: annotation}, name: field, "__module__": __name__})
    return type("Variant", (Dig,), {"Inputs": inputs})


@pytest.fixture
def known(tmp_path: Path, musubi_surroundings: Path) -> Any:
    """What the --help of a script says that no kept table has."""
    folder = tmp_path / "src" / "musubi_tuner"
    folder.mkdir(parents=True)
    (folder / "dig.py").write_text(SCRIPT, "utf-8")
    install = Install("mine", tmp_path, Path(sys.executable))
    return options_of("dig.py", install=install)


def found(node: type[ToolNode]) -> dict[str, Case]:
    return {case.label: case for case in cases([node])}


def test_a_script_that_no_release_has_is_known_by_its_help(known: Any) -> None:
    assert set(known) == {"depth", "mode", "secret_depth", "vae"}
    with fails("script-missing", "dig.py"):
        found(Dig)["defaults"].check()


def test_each_field_is_changed_to_its_ends_and_examples(known: Any) -> None:
    everything = found(Dig)
    assert {"defaults", "depth=9", "mode=b"} <= everything.keys()
    assert everything["depth=9"].words(known) == ["--depth=9", "--mode=a"]
    for case in everything.values():
        case.check(known)


def test_an_option_that_the_script_does_not_have_fails(known: Any) -> None:
    node = variant("width", Annotated[int, Option()], Field(1, ge=1, le=9, description="How wide."))
    with fails("option-unknown", "--width"):
        found(node)["defaults"].check(known)


def test_a_value_that_the_parser_refuses_fails(known: Any) -> None:
    typed = {**known, "depth": OptionSpec("depth", kind="int")}
    node = variant("depth", Annotated[float, Option()], Field(0.5, ge=0.5, le=9, description="How deep."))
    with pytest.raises(Refused, match="invalid int value"):
        found(node)["defaults"].check(typed)


def test_options_that_nobody_can_set_and_those_set_twice_are_named(known: Any) -> None:
    assert unreachable(Dig, known) == {"vae"}  # a path is no extra option; secret_depth is one
    node = variant("deeper", Annotated[int, Option("depth")], Field(2, ge=1, le=9, description="Deeper."))
    assert set_twice(Dig, known) == set() and set_twice(node, known) == {"depth"}


def test_the_miniature_is_the_install_of_a_workplace(musubi_workplace: Any) -> None:
    assert musubi_workplace.services.install().name == "miniature"
    assert musubi_workplace.run("NetworkConfig", network_dim=3).network.network_dim == 3


class DigModels(families.Models):
    socket = "MUSUBI_DIG_MODELS"
    dit: Annotated[str, families.ModelFile("diffusion_models"), Option()] = Field(description="The DiT.")
    text_encoder: Annotated[str, families.ModelFile("text_encoders"), Option()] = Field(description="The text encoder.")


PICTURES = {"architecture": "dig", "network_module": "networks.lora_dig", "frame_rule": families.PICTURES}


def generator(family: dict[str, Any] | None = None, **attributes: Any) -> Any:
    """A generator of pictures on Qwen-Image's script."""

    class Inputs(families.ImageGeneratorInputs):
        models: Annotated[DigModels, families.ForwardOptions("dit", "text_encoder")]
        control_image: Annotated[Any, families.Picture("control_image_path", several=True)] = Field(
            None, description="The picture to change."
        )
        infer_steps: families.Steps = Field(25, description="Denoising steps.")

    own = {"id": "DigGenerator", "title": "Dig Generator", "script": "qwen_image_generate_image.py", "Inputs": Inputs}
    shape = Family("dig", "Dig", **{**PICTURES, **(family or {})})
    return type("Generator", (families.ImageGenerator,), {**own, "family": shape, **attributes})


def trainer(**family: Any) -> Any:
    class Inputs(families.LoRATrainerInputs):
        models: Annotated[DigModels, families.ForwardOptions("dit")]

    own = {"id": "DigTrainer", "title": "Dig Trainer", "script": "qwen_image_train_network.py", "Inputs": Inputs}
    return type("Trainer", (families.LoRATrainer,), {**own, "family": Family("dig", "Dig", **{**PICTURES, **family})})


def test_pictures_are_written_and_a_batch_and_samples_are_made() -> None:
    everything = found(generator()) | found(trainer())
    assert {"pictures", "batch", "samples", "warm-up"} <= everything.keys()
    for label in ("pictures", "batch", "samples", "warm-up"):
        everything[label].check()
    shown = everything["pictures"].words()
    assert Path(shown[shown.index("--control_image_path") + 1]).name.startswith("control_image")
    assert "--lr_warmup_steps=10" in everything["warm-up"].words() and "--infer_steps=25" in everything["batch"].words()


def test_an_attention_that_only_the_parser_knows_fails() -> None:
    options = families.with_choice(families.GENERATOR_OPTIONS, "attention", "sdpa", {"attn_mode": "sdpa"})
    with pytest.raises(AssertionError, match="attn_mode=sdpa"):
        found(generator({"generator_options": options}))["defaults"].check()


def test_a_picture_for_an_option_that_is_not_there_fails() -> None:
    wrong = generator(media=lambda self, inputs, folder: {"control_pictures": [folder / "a.png"]})
    with fails("option-unknown", "--control_pictures"):
        found(wrong)["pictures"].check()


def test_an_empty_negative_prompt_is_the_familys() -> None:
    assert "--negative_prompt= " in found(generator({"empty_negative_prompt": " "}))["defaults"].words()


def test_a_batch_that_the_node_cannot_take_fails() -> None:
    wrong = generator(prompt_fields={"prompt": "prompt", "control_image": "control_image"})
    with fails("prompts-invalid", "seed"):
        found(wrong)["batch"].check()
