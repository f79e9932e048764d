"""Settings of each timestep sampling.

musubi-tuner ignores others silently: ``get_noisy_model_input_and_timesteps`` (training/trainer_base.py) and
training/timesteps.py, v0.3.4; wan_train_network.py calls it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

SCHEMES: Mapping[str, tuple[str, ...]] = {"logit_normal": ("logit_mean", "logit_std"), "mode": ("mode_scale",)}
"""Weighting schemes that draw with sigma, and their fields."""

_SHIFT, _SPREAD, _LOGIT = "discrete_flow_shift", "sigmoid_scale", SCHEMES["logit_normal"]
_ALL_BUT_SIGMA = ("preserve_distribution_shape", "num_timestep_buckets")

TAKES: Mapping[str, tuple[str, ...]] = {
    "sigma": (_SHIFT,),
    "uniform": _ALL_BUT_SIGMA,
    "sigmoid": (*_ALL_BUT_SIGMA, _SPREAD),
    "shift": (*_ALL_BUT_SIGMA, _SPREAD, _SHIFT),
    "flux_shift": (*_ALL_BUT_SIGMA, _SPREAD),
    "flux2_shift": (*_ALL_BUT_SIGMA, _SPREAD),
    "ideogram4_shift": _ALL_BUT_SIGMA,
    "qwen_shift": (*_ALL_BUT_SIGMA, _SPREAD),
    "krea2_shift": (*_ALL_BUT_SIGMA, _SPREAD),
    "logsnr": (*_ALL_BUT_SIGMA, *_LOGIT),
    "qinglong_flux": (*_ALL_BUT_SIGMA, _SPREAD, *_LOGIT),
    "qinglong_qwen": (*_ALL_BUT_SIGMA, _SPREAD),
}
"""``timestep_sampling`` -> its fields."""

FIELDS = tuple(dict.fromkeys(name for fields in (*TAKES.values(), *SCHEMES.values()) for name in fields))
"""Fields that not every sampling uses."""


def of(name: str, text: str) -> str:
    """Describe a field, beginning with its samplings."""
    return f"{', '.join(_takers(name))}: {text}"


def ignored(sampling: str | None, scheme: str, changed: Iterable[str]) -> tuple[str, str]:
    """Return why a choice would be ignored, and the field ("" for ``scheme``).

    Both are empty if none is. ``sampling`` may be unknown.
    """
    possible: Collection[str] = [sampling] if sampling and sampling in TAKES else TAKES
    if scheme in SCHEMES and "sigma" not in possible:
        return f"weighting_scheme {scheme} is how timestep_sampling sigma draws: {sampling} ignores it", ""
    for name in changed:
        drawn = "sigma" in possible and name in SCHEMES.get(scheme, ())
        if not drawn and not any(name in TAKES[each] for each in possible):
            chosen = f"timestep_sampling {sampling}" if sampling else f"weighting_scheme {scheme}"
            return f"{chosen} takes no {name}: it is for {', '.join(_takers(name))}", name
    return "", ""


def _takers(name: str) -> list[str]:
    drawing = [f"sigma with weighting_scheme {scheme}" for scheme, fields in SCHEMES.items() if name in fields]
    return [sampling for sampling, fields in TAKES.items() if name in fields] + drawing
