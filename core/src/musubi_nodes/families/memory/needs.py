"""Python packages that settings need."""

from __future__ import annotations

from collections.abc import Container

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.settings import Memory, Optimizer, Training
from musubi_nodes.families.settings.memory import ATTENTION_PACKAGES
from musubi_nodes.i18n import translate
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.packages import installed_packages

_LOGGERS = {"wandb": "wandb", "all": "wandb"}
_DISTRIBUTIONS = {"flash_attn_interface": ("flash_attn_3", "flash_attn_interface")}


def check_packages(
    install: Install, memory: Memory, optimizer: Optimizer | None = None, training: Training | None = None
) -> None:
    wanted = [(f"attention {memory.attention}", ATTENTION_PACKAGES.get(memory.attention))]
    if optimizer:
        wanted.append((f"optimizer_type {optimizer.optimizer_type}", optimizer.package()))
    if training and training.log_with:
        wanted.append((f"log_with {training.log_with}", _LOGGERS.get(training.log_with)))
    packages = installed_packages(install)
    for what, package in wanted:
        if package and packages and not _has(packages, package):
            raise MusubiError(
                "package-missing",
                f"{what} needs the package {package}, which musubi-tuner's environment does not have",
                why=translate("Checked: {python}.", python=install.python),
                fix=translate(
                    "Install it there ({python} -m pip install {package}), or choose another.",
                    python=install.python,
                    package=package,
                ),
            )


def attentions(install: Install) -> frozenset[str] | None:
    """Return the installed attention modes; ``None`` if unknown."""
    packages = installed_packages(install)
    if not packages:
        return None
    return frozenset({"sdpa", *(mode for mode, package in ATTENTION_PACKAGES.items() if _has(packages, package))})


def optimizer_of(optimizer: Optimizer, install: Install) -> str:
    """Return the optimizer for auto: AdamW8bit with bitsandbytes, else AdamW."""
    if optimizer.optimizer_type != "auto":
        return optimizer.optimizer_type
    return "AdamW8bit" if _has(installed_packages(install), "bitsandbytes") else "AdamW"


def tensorboard(install: Install) -> bool:
    return _has(installed_packages(install), "tensorboard")


def _has(packages: Container[str], name: str) -> bool:
    return any(d in packages for d in _DISTRIBUTIONS.get(name, (name,)))
