"""The documented example family is a whole plugin: as wheels alone, it turns pictures into a LoRA and a video."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODES = ROOT / "docs" / "example_families" / "heron" / "src" / "musubi_nodes_heron" / "nodes.py"
FIVE_NODES = """
import os
from pathlib import Path
os.environ["MUSUBI_NODES_INSTALL"] = "miniature"
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.weights import read_header
place = Workplace(Path("work").absolute())
files = {"dit": "wan_t2v_14b", "vae": "wan_vae", "t5": "umt5_xxl"}
models = place.run("HeronModels", **{k: f"miniature/{v}.safetensors" for k, v in files.items()}).models
dataset = place.load(place.dataset())
latent = place.run("HeronLatentCache", dataset=dataset, models=models).latent_cache
text = place.run("HeronTextEncoderCache", dataset=dataset, models=models).text_cache
training = place.run("TrainingConfig", max_train_epochs=2, learning_rate=0.01).training
lora = place.run("HeronLoRATrainer", models=models, latent_cache=latent, text_cache=text, training=training).lora
video = place.run("HeronGenerator", models=models, lora=lora, prompt="a square", width=96, height=64, video_length=5,
                  infer_steps=2).video
import musubi_nodes, musubi_nodes_heron
print(json.dumps({
    "files": [musubi_nodes.__file__, musubi_nodes_heron.__file__],
    "loaded": {name: len(r.nodes) for name, r in place.services.loaded.items()},
    "lora": len(read_header(lora.path).tensors), "frames": probe(video.path).frames, "runs": len(place.started()),
}))
"""


def test_its_wheel_beside_the_cores_and_the_miniatures_makes_a_lora_and_a_video(fresh, wheels, site, example_wheel):
    place = site(wheels["core"], wheels["miniature"], example_wheel)
    made = fresh(FIVE_NODES, place)
    assert all(file.startswith(str(place)) for file in made["files"])
    assert made["loaded"].keys() == {"core", "heron", "miniature"} and made["loaded"]["heron"] == 5
    assert made["lora"] > 0 and made["frames"] == 5 and made["runs"] == 4


def test_five_nodes_are_at_most_150_lines():
    assert len(NODES.read_text("utf-8").splitlines()) <= 150
