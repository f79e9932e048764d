"""Random weights for Krea 2."""


def make(save, state_of):
    """``save(name, model or state)`` writes a file; ``state_of(model)`` are random numbers for its tensors."""
    from musubi_tuner.krea2 import krea2_encoder, krea2_mmdit, krea2_utils
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    for seed, name in enumerate(("krea2_raw_dit", "krea2_turbo_dit"), 80):
        save(name, state_of(krea2_mmdit.SingleStreamDiT(krea2_utils.single_mmdit_large_wide), seed=seed))
    config = Qwen3VLConfig.from_dict(krea2_encoder.QWEN3_VL_4B_INSTRUCT_CONFIG)
    encoder = state_of(Qwen3VLForConditionalGeneration._from_config(config), seed=82)
    del encoder["lm_head.weight"]
    save("qwen3vl", encoder)
