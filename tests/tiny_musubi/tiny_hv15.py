"""HunyuanVideo 1.5 made small: what sitecustomize.py does to its modules once they were imported."""

import inspect
import textwrap

SIZES = (("2048", "96"), ("heads_num = 16", "heads_num = 2"), ("[16, 56, 56]", "[16, 16, 16]"), ("_depth = 54", "_depth = 5"),
    ("3584", "64"), ("super().__init__()", "super(HunyuanVideo_1_5_DiffusionTransformer, self).__init__()"))  # fmt: skip
"""Its constructor has them as constants, so it is made anew from its source."""


def _dit(mod):
    cls = mod.HunyuanVideo_1_5_DiffusionTransformer
    text = textwrap.dedent(inspect.getsource(cls.__init__))
    for old, new in SIZES:
        assert old in text, old
        text = text.replace(old, new)
    exec(text, mod.__dict__)
    cls.__init__ = mod.__dict__.pop("__init__")


def _text(mod):
    full = mod.T5Config
    small = {"d_ff": 16, "d_kv": 16, "num_heads": 1, "num_layers": 1, "num_decoder_layers": 1}
    mod.T5Config = lambda **k: full(**{**k, **small})


def _vae(mod):
    full, widths = mod.AutoencoderKLConv3D.__init__, (16, 32, 64, 64, 64)
    mod.AutoencoderKLConv3D.__init__ = lambda self, *a, **k: full(self, *a, **{**k, "block_out_channels": widths})


AFTER = {"models": _dit, "text_encoder": _text, "vae": _vae}


def shrink(mod):
    AFTER[mod.__name__.rpartition("hunyuan_video_1_5_")[2]](mod)
