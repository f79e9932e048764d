"""LoHa and LoKr on the real scripts: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

from typing import Any

import pytest
from tests.real.toys import MODELS, trained, videos

from musubi_nodes.families.recognition.loras import network_of, ranks
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi
SMALL: dict[str, Any] = {"prompt": "a square", "width": 96, "height": 64, "infer_steps": 2}


@pytest.mark.parametrize("kind", ["LoHa", "LoKr"])
@pytest.mark.parametrize("family", MODELS)
def test_each_family_trains_one(place: Workplace, family: str, kind: str) -> None:
    models = place.run(f"{family}Models", **MODELS[family]).models
    toml = videos(place.folder) if family == "FramePack" else place.dataset()
    network = place.run("NetworkConfig", network_type=kind, network_dim=2, network_args="rank_dropout=0.1").network
    made = trained(place, family, models, toml, network=network)
    header = read_header(made.lora.path)
    assert network_of(header) == kind and ranks(header) <= {2}
    if family == "HunyuanVideo":
        with fails("lycoris-missing", kind):
            place.run(f"{family}Generator", models=models, lora=made.lora, video_length=5, **SMALL)


@pytest.mark.parametrize("kind", ["LoHa", "LoKr"])
def test_a_video_is_made_with_one_and_a_training_goes_on_from_it(place: Workplace, kind: str) -> None:
    models = place.run("WanModels", **MODELS["Wan"]).models
    network = place.run("NetworkConfig", network_type=kind, network_dim=2).network
    made = trained(place, "Wan", models, place.dataset(), network=network)
    video = place.run("WanGenerator", models=models, lora=made.lora, video_length=5, **SMALL).video
    assert probe(video.path).frames == 5
    first = place.run("LoRASelect", lora=f"musubi/{made.lora.path.name}").lora
    again = trained(place, "Wan", models, place.dataset(), network=network, network_weights=first, output_name="second")
    assert network_of(read_header(again.lora.path)) == kind
    with fails("lora-other-kind", kind, "LoRA"):
        trained(place, "Wan", models, place.dataset(), network_weights=first, output_name="third")
