"""Does musubi-tuner read what the models nodes take, and nothing that they refuse? Its own loaders answer:
``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from tests.tiny_musubi import config

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.recognition.judged import judged_header
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.install import load_install

pytestmark = pytest.mark.musubi

LOADERS = Path(__file__).with_name("loaders.py")
FIELDS = {
    "Wan dit": ("MusubiTuner_WanModels", "dit", "t2v-14B"),
    "Wan vae": ("MusubiTuner_WanModels", "vae", ""),
    "Wan t5": ("MusubiTuner_WanModels", "t5", ""),
    "HunyuanVideo dit": ("MusubiTuner_HunyuanVideoModels", "dit", "t2v"),
    "HunyuanVideo vae": ("MusubiTuner_HunyuanVideoModels", "vae", ""),
    "HunyuanVideo text_encoder1": ("MusubiTuner_HunyuanVideoModels", "text_encoder1", ""),
    "HunyuanVideo text_encoder2": ("MusubiTuner_HunyuanVideoModels", "text_encoder2", ""),
    "FramePack dit": ("MusubiTuner_FramePackModels", "dit", ""),
    "FramePack text_encoder1": ("MusubiTuner_FramePackModels", "text_encoder1", ""),
    "FramePack text_encoder2": ("MusubiTuner_FramePackModels", "text_encoder2", ""),
    "Z-Image dit": ("MusubiTuner_ZImageModels", "dit", ""),
    "Z-Image vae": ("MusubiTuner_ZImageModels", "vae", ""),
    "Z-Image text_encoder": ("MusubiTuner_ZImageModels", "text_encoder", ""),
    "FramePack image_encoder": ("MusubiTuner_FramePackModels", "image_encoder", ""),
    "Kontext dit": ("MusubiTuner_FluxKontextModels", "dit", ""),
    "Kontext vae": ("MusubiTuner_FluxKontextModels", "vae", ""),
    "Kontext text_encoder1": ("MusubiTuner_FluxKontextModels", "text_encoder1", ""),
    "Kontext text_encoder2": ("MusubiTuner_FluxKontextModels", "text_encoder2", ""),
    "FLUX.2 dit": ("MusubiTuner_Flux2Models", "dit", "klein-base-4b"),
    "FLUX.2 vae": ("MusubiTuner_Flux2Models", "vae", "klein-base-4b"),
    "FLUX.2 text_encoder": ("MusubiTuner_Flux2Models", "text_encoder", "klein-base-4b"),
}
"""What loaders.py calls a loader -> the node, its field, and the task."""
STRICTER = {"Wan vae wan_vae_scaled"}
"""Its scales would be left out without a word."""


def taken(path: Path, node: str, field: str, task: str) -> bool:
    """Whether the node takes the file."""
    declared = next(each for each in plugins().nodes if each.id == node)
    spec = next(each for each in declared.fields() if each.name == field)
    try:
        judged_header(path, spec.accepts, plugins().weights_kinds, task)
    except MusubiError:
        return False
    return True


def test_the_nodes_take_what_the_real_loaders_read(real_musubi: dict[str, str], tmp_path: Path) -> None:
    config.toy_config(real_musubi, tmp_path)
    environment = {"MUSUBI_TINY": "1", "PYTHONPATH": str(config.HERE)}
    install = load_install("toys", real_musubi["root"], real_musubi.get("python"), environment, cpu=True)
    source = os.pathsep.join([str(config.HERE), str(install.root / "src")])
    done = subprocess.run(
        [str(install.python), str(LOADERS), str(tmp_path / "weights"), str(tmp_path / "variants")],
        env={**os.environ, "MUSUBI_TINY": "1", "PYTHONPATH": source},
        check=True,
        capture_output=True,
        text=True,
    )
    read = json.loads(done.stdout.splitlines()[-1])
    assert sum(map(len, read.values())) > 60
    wrong = {}
    for loader, files in read.items():
        for path, loads in files.items():
            if f"{loader} {Path(path).stem}" not in STRICTER and taken(Path(path), *FIELDS[loader]) != loads:
                wrong[f"{loader} {Path(path).name}"] = loads
    assert not wrong
