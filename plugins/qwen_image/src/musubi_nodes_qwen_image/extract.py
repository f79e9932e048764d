"""qwen_extract_lora.py: a LoRA from the difference of two DiTs."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from musubi_nodes import families as mn
from musubi_nodes_qwen_image.nodes import DITS, PREFIXES, QWEN_IMAGE

DIT = mn.accepts_known(
    *DITS,
    prefixes=PREFIXES,
    quantised=(mn.PLAIN,),  # the script subtracts the files' numbers, without their scales (v0.3.4)
    fix="Choose the bf16 file.",
)


class ExtractInputs(mn.ToolInputs):
    """Two DiTs, and what is made of their difference."""

    model_org: Annotated[str, mn.ModelFile("diffusion_models", accepts=DIT)] = Field(
        description="The DiT before its fine-tuning."
    )
    model_tuned: Annotated[str, mn.ModelFile("diffusion_models", accepts=DIT)] = Field(
        description="The fine-tuned DiT."
    )
    dim: Annotated[int, mn.Option()] = Field(32, ge=1, le=1024, description="Rank of the LoRA.")
    clamp_quantile: Annotated[float, mn.Option(), mn.Widget(advanced=True)] = Field(
        0.99, ge=0.01, le=1.0, description="Larger numbers than this share of them are cut to it. 1: none."
    )
    save_precision: Annotated[Literal["float", "fp16", "bf16"], mn.Option(), mn.Widget(advanced=True)] = Field(
        "bf16", description="Number format of the file."
    )
    mem_eff_safe_open: Annotated[bool, mn.Option(), mn.Widget(advanced=True)] = Field(
        False, description="Read the files piece by piece instead of mapping them into memory."
    )
    output_name: str = Field("extracted", description="Name in models/loras/musubi.", examples=["other"])
    device: Annotated[Literal["cuda", "cpu"], mn.Widget(advanced=True)] = Field(
        "cuda", description="Where it is computed; cpu is much slower."
    )


class QwenImageLoRAExtractor(mn.ToolNode[ExtractInputs]):
    """Makes a LoRA from the difference of two Qwen-Image DiTs, such as a fine-tuned one and the one it began from."""

    id, title = "MusubiTuner_QwenImageLoRAExtractor", "Qwen-Image LoRA Extractor"
    search = ("extract lora", "difference", "svd", "fine-tuned", "抽出", "差分")
    family, script = QWEN_IMAGE, "qwen_extract_lora.py"
    Inputs: ClassVar[type[BaseModel]] = ExtractInputs

    class Outputs(mn.NodeOutputs):
        lora: mn.Lora = Field(description="The LoRA.")
        run: mn.Run = Field(description="The run folder.")

    def validate(self, values: Mapping[str, Any], linked: Set[str], context: mn.Context) -> None:
        super().validate(values, linked, context)
        if not linked:
            _chosen(self.Inputs.model_validate(values), context)

    def device(self, inputs: ExtractInputs) -> str:
        return "auto" if inputs.device == "cuda" else "cpu"

    def run(self, inputs: ExtractInputs, context: mn.Context) -> BaseModel:
        install = self.prepare(inputs, context)
        models = _chosen(inputs, context)
        name = mn.checked_name(inputs.output_name, "output_name", ".safetensors")
        with self.new_folder(context) as folder:
            made = folder.out / f"{name}.safetensors"
            options = {**models, "save_to": str(made), "device": "cpu" if install.cpu else inputs.device}
            run = self.run_tool(inputs, context, folder, options, lambda _: mn.check_trained(made, folder.log))
        path = mn.publish_lora(context, made)
        context.show(text=mn.translate("saved as {file}", file=f"musubi/{path.name}"))
        return self.Outputs(lora=mn.Lora(path=path, format="musubi", family=QWEN_IMAGE.key), run=run)


def _chosen(inputs: Any, context: mn.Context) -> dict[str, str]:
    """Paths of the two DiTs; a :class:`MusubiError` unless they differ in their numbers only."""
    paths, headers = mn.chosen_models(QwenImageLoRAExtractor.fields(), inputs, context)
    before, after = inputs.model_org, inputs.model_tuned
    if before == after:
        raise mn.MusubiError(
            "models-same",
            f"model_org and model_tuned are both {before}",
            fix="Choose the DiT before and the one after the fine-tuning.",
        )
    shapes = [sorted(tensor.shape for tensor in header.tensors.values()) for header in headers.values()]
    if shapes[0] != shapes[1]:
        raise mn.MusubiError(
            "models-mismatch",
            f"{before} and {after} have weights of different shapes",
            fix="Choose the DiT that the fine-tuning began from.",
        )
    return {name: str(path) for name, path in paths.items()}
