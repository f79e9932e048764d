"""A configuration whose install is the real musubi-tuner with toy weights, for tests and measurements."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from musubi_nodes.runs.install import load_install

HERE = Path(__file__).resolve().parent
KINDS = {
    "diffusion_models": ("wan*_*.safetensors", "hv_dit.safetensors", "fp_dit.safetensors", "qwen_image*_dit.safetensors",
        "zimage_dit*.safetensors", "kontext*_dit.safetensors", "klein_dit.safetensors",
        "krea2_*_dit.safetensors", "hv15_*_dit.safetensors"),
    "vae": ("wan_vae.*", "hv_vae.safetensors", "qwen_image*_vae.safetensors", "zimage_vae.safetensors",
        "kontext_vae.safetensors", "flux2_vae.safetensors", "hv15_vae.safetensors"),
    "text_encoders": ("t5.*", "hv_llm.safetensors", "hv_clip.safetensors", "qwen25vl.safetensors", "qwen3.safetensors",
        "t5xxl.safetensors", "clip_l.safetensors", "qwen3vl.safetensors", "byt5.safetensors"),
    "clip_vision": ("fp_siglip.safetensors",),
}


def toy_config(real: Mapping[str, str], folder: Path) -> str:
    """The text of a config.toml; ``real`` has ``root`` and perhaps ``python``. The weights are made in ``folder``."""
    environment = {"MUSUBI_TINY": "1", "PYTHONPATH": str(HERE)}
    install = load_install("toys", real["root"], real.get("python"), environment, cpu=True)
    source = os.pathsep.join([str(HERE), str(install.root / "src")])
    weights = folder / "weights"
    weights.mkdir()
    subprocess.run(
        [str(install.python), str(HERE / "make_weights.py"), str(weights)],
        env={**os.environ, "MUSUBI_TINY": "1", "PYTHONPATH": source, "MUSUBI_TUNER_ROOT": real["root"]},
        check=True,
        capture_output=True,
    )
    lines = []
    for kind, patterns in KINDS.items():
        target = folder / "models" / kind
        target.mkdir(parents=True)
        for file in [found for pattern in patterns for found in weights.glob(pattern)]:
            if kind == "vae" or "vae" not in file.name:
                shutil.copy(file, target)
        lines.append(f"{kind} = [{json.dumps(target.as_posix())}]")
    python = f"python = {json.dumps(real['python'])}\n" if "python" in real else ""
    return (
        f'install = "toys"\n[installs.toys]\nroot = {json.dumps(real["root"])}\n{python}cpu = true\n'
        f'environment = {{ MUSUBI_TINY = "1", PYTHONPATH = {json.dumps(str(HERE))} }}\n'
        "[models]\n" + "\n".join(lines) + "\n"
    )
