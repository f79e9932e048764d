"""Base of models nodes: they name files, check headers and load nothing."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, create_model

from musubi_nodes.commands.option import SameResult
from musubi_nodes.families.context import Context
from musubi_nodes.families.fields import InstallName, Settings, Widget
from musubi_nodes.families.models.chosen import chosen_models
from musubi_nodes.families.models.dit_size import DitSize
from musubi_nodes.families.node import Node, NodeOutputs
from musubi_nodes.weights import Header


class Models(Settings):
    """Model files (:class:`ModelFile` fields): names in the node, absolute paths on the wire."""

    description: ClassVar[str] = "The family's models node: which files."
    version_field: ClassVar[str] = ""
    """Field with the version or task of the models, "" if there is one only."""

    install: Annotated[str | None, InstallName(), Widget(advanced=True, last=2), SameResult()] = Field(
        None, description="Which configured musubi-tuner runs these models. default: the server's own choice."
    )

    @property
    def version(self) -> str:
        """Return the models' version or task."""
        return str(getattr(self, self.version_field)) if self.version_field else ""

    @property
    def main_dit(self) -> str:
        """Return the DiT that is trained and that LoRAs change."""
        return str(self.dit)  # type: ignore[attr-defined]

    size: ClassVar[DitSize | None] = None
    """The family's only DiT, ``None`` if its memory is unknown."""
    most_swap: ClassVar[tuple[int, int] | None] = None
    """Most swapped blocks for training and for generating, if the DiT has no size."""

    @property
    def dit_size(self) -> DitSize | None:
        """Return the DiT that these files are."""
        return self.size

    @property
    def most_blocks_to_swap(self) -> tuple[int, int] | None:
        """Return how many blocks can be swapped for training and for generating."""
        return self.dit_size.most_swap if self.dit_size else self.most_swap

    def used(self, field: str) -> bool:
        """Return whether the other settings use this file; unused files aren't checked."""
        return True

    def check(self, headers: Mapping[str, Header]) -> None:
        """Check more than the fields accept; raises a MusubiError that names the file.

        ``headers``: by field, of the used safetensors files.
        """


class ModelsNode(Node):
    """Names a family's model files. ``models`` is both the inputs and the output."""

    category: ClassVar[str] = "MusubiTuner/Models"
    search: ClassVar[tuple[str, ...]] = (
        "load model",
        "checkpoint",
        "dit",
        "vae",
        "text encoder",
        "diffusion model",
        "モデル読み込み",
        "モデル",
    )
    resolves_statically: ClassVar[bool] = True
    models: ClassVar[type[Models]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "models" in cls.__dict__:
            cls.Inputs = cls.models
            cls.Outputs = _outputs(cls.models)

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: Context) -> None:
        if not linked:
            self._found(self.Inputs.model_validate(values), context)

    def run(self, inputs: Any, context: Context) -> BaseModel:
        return self.Outputs(models=inputs.model_copy(update=self._found(inputs, context)))

    def _found(self, inputs: Any, context: Context) -> dict[str, str]:
        """Return checked paths by field."""
        paths, headers = chosen_models(self.fields(), inputs, context, inputs.version, inputs.used)
        inputs.check(headers)
        return {name: str(path) for name, path in paths.items()}


def _outputs(models: type[Models]) -> type[BaseModel]:
    field = Field(description="The chosen files, for the nodes of this family.")
    return create_model("Outputs", __base__=NodeOutputs, models=(models, field))
