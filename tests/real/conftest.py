"""The real programs: musubi-tuner with toy weights, and ComfyUI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from musubi_nodes.runs.install import load_install

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def toy_config(real_musubi: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A config.toml whose install is the real musubi-tuner with toy weights, which are made first."""
    folder = tmp_path_factory.mktemp("toys")
    environment = {"MUSUBI_TINY": "1", "PYTHONPATH": real_musubi["tiny"]}
    install = load_install("toys", real_musubi["root"], real_musubi.get("python"), environment, cpu=True)
    source = os.pathsep.join([real_musubi["tiny"], str(install.root / "src")])
    weights = folder / "weights"
    weights.mkdir()
    subprocess.run(
        [str(install.python), str(Path(real_musubi["tiny"]) / "make_weights.py"), str(weights)],
        env={**os.environ, "MUSUBI_TINY": "1", "PYTHONPATH": source, "MUSUBI_TUNER_ROOT": real_musubi["root"]},
        check=True,
        capture_output=True,
    )
    kinds = {
        "diffusion_models": ("wan*_*.safetensors", "hv_dit.safetensors", "fp_dit.safetensors"),
        "vae": ("wan_vae.*", "hv_vae.safetensors"),
        "text_encoders": ("t5.*", "hv_llm.safetensors", "hv_clip.safetensors"),
        "clip_vision": ("fp_siglip.safetensors",),
    }
    lines = []
    for kind, patterns in kinds.items():
        target = folder / "models" / kind
        target.mkdir(parents=True)
        for file in [found for pattern in patterns for found in weights.glob(pattern)]:
            if kind == "vae" or "vae" not in file.name:
                shutil.copy(file, target)
        lines.append(f"{kind} = [{json.dumps(target.as_posix())}]")
    python = f"python = {json.dumps(real_musubi['python'])}\n" if "python" in real_musubi else ""
    return (
        f'install = "toys"\n[installs.toys]\nroot = {json.dumps(real_musubi["root"])}\n{python}cpu = true\n'
        f'environment = {{ MUSUBI_TINY = "1", PYTHONPATH = {json.dumps(real_musubi["tiny"])} }}\n'
        "[models]\n" + "\n".join(lines) + "\n"
    )
