"""What each way to draw timesteps takes: the one table for refusals and descriptions of SAMPLING.

From ``get_noisy_model_input_and_timesteps`` of training/trainer_base.py and from training/timesteps.py (musubi-tuner
v0.3.4), which drop everything else without a word; Wan's own one (wan_train_network.py) calls it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

SCHEMES: Mapping[str, tuple[str, ...]] = {"logit_normal": ("logit_mean", "logit_std"), "mode": ("mode_scale",)}
"""The ``weighting_scheme`` that say how sigma draws, with the fields that each takes; the others weigh the loss."""

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
"""``timestep_sampling`` -> the fields that act with it."""

FIELDS = tuple(dict.fromkeys(name for fields in (*TAKES.values(), *SCHEMES.values()) for name in fields))
"""The fields that only some ways to draw take."""


def of(name: str, text: str) -> str:
    """The description of a field: who takes it, and what it is."""
    return f"{', '.join(_takers(name))}: {text}"


def ignored(sampling: str | None, scheme: str, changed: Iterable[str]) -> tuple[str, str]:
    """Why a choice would be ignored, and which of the ``changed`` fields that is ("" for ``scheme`` itself); two empty
    texts where all act. ``sampling`` is ``None`` where it is not known yet: then what some of them takes is none."""
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
