"""Valid documents, and how they are broken: always in the same ways, so that what fails once fails again."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

always_the_same = settings(
    max_examples=300,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

DATASET = """\
[general]
resolution = [960, 544]
caption_extension = ".txt"
batch_size = 1
enable_bucket = true

[[datasets]]
video_directory = '/data/clips'
target_frames = [1, 25]
frame_extraction = "head"
source_fps = 24.0
num_repeats = 2
"""
EXTRA = """\
log_prefix = "night"
network_dropout = 0.1
network_args = ["a=1", "b=2"]
lr_warmup_steps = "10%"
compile = true
mixed_precision = "bf16"
"""
LINES = "weight_decay=0.01\nbetas=(0.9, 0.99)\nname='x'\nflag=True\n"
CSV = 'prompt,seed,width,steps,cfg_scale\na cat,7,512,20,5.5\n"a dog, small",8,,,\n'
JSONL = "\n".join(
    json.dumps(row)
    for row in (
        {"prompt": "a cat", "seed": 7, "width": 512, "cfg_scale": 5.5},
        {"prompt": "a dog", "negative_prompt": "blurry", "steps": 20},
    )
)
DATA_JSONL = "\n".join(
    json.dumps(row)
    for row in (
        {"image_path": "/data/a.png", "caption": "a cat", "control_path": "/data/c.png"},
        {"image_path": "/data/b.png", "caption": "a dog", "control_path_0": "/data/d.png"},
    )
)
WORKFLOW = json.dumps(
    {
        "1": {"class_type": "MusubiTuner_Prompt", "inputs": {"prompt": "a cat", "seed": 7}},
        "2": {"class_type": "MusubiTuner_BatchProcessor", "inputs": {"previous": ["1", 0], "text": "a dog"}},
        "3": {"class_type": "MusubiTuner_TrainingMonitor", "inputs": {"name": "newest", "width": 832}},
    }
)
HELP = """\
usage: x.py [-h] [--task {a,b}] [--size SIZE SIZE] [--lora_weight [LORA_WEIGHT ...]] path [path ...]

positional arguments:
  path                  files

options:
  -h, --help            show this help message and exit
  --task {a,b}          the task
  --size SIZE SIZE      height and width
  --lora_weight [LORA_WEIGHT ...]
                        LoRA files
  -o O, --out O         where
  --compile             compile it
"""
OUTPUT = """\
running training / 学習開始
steps:   8%|▊         | 1/12 [00:00<00:00, 1653.91it/s, avr_loss=1.3]
epoch 2/3
INFO:musubi_tuner.dataset:Encoding dataset [0]
3it [00:00,  8.37it/s]
Loading wan.safetensors:  47%|████▋     | 70/148 [00:00<00:00, 696.30key/s]
saving checkpoint: /out/toy-000001.safetensors
"""

PIECES = (
    *"[]{}()=:,;\t\n\r\0\\#%'\"",
    *('"""', "'''", "--", "-x", "-1", "²", "٣", "0x10", "9" * 400, "9" * 5000, "a" * 70_000, "[[" * 3, "[" * 2000),
    *("\x1b[2J", "\x07", "\x9b1m", "\u202e", "\u2028", "\ufeff", "\ud800", "\U0001f408", "\\u0000", '"\\ud800"'),
    *("1e999", "nan", "inf", "-inf", "null", "true", "Infinity", "NaN", "1979-05-27", "{0.__class__}", "%s"),
    *("<img src=x onerror=alert(1)>", "$(touch x)", "../../..", "/etc/passwd", "//host/share"),
    *("[[datasets]]", "[general]", "resolution", "prompt", "seed", "image", "class_type"),
)


@st.composite
def broken(draw: Any, text: str) -> str:
    """``text`` after one to four edits: something cut out, put in, doubled, or moved."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from((0, 0, 1, 2, 5, 20, 100))))
        cut = text[start:end]
        put = draw(st.sampled_from(PIECES) | st.text(max_size=6) | st.just("") | st.just(cut * 2))
        text = text[:start] + put + text[end:]
        if draw(st.booleans()) and draw(st.booleans()):
            text = text[end:] + text[:end]
    return text
