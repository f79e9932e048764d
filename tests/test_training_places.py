"""Where a training puts its files and metrics, asked before anything is spent on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.families.product import LORA
from musubi_nodes.families.settings import Training
from musubi_nodes.families.training import places
from musubi_nodes.families.training.places import check_folder, check_login, check_paths
from musubi_nodes.runs.install import Install
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace


@pytest.fixture
def install(tmp_path: Path) -> Install:
    return Workplace(tmp_path).services.install("miniature")


@pytest.fixture
def without_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """A surrounding in which nobody has logged in; variables may be given."""

    def surround(**variables: str) -> None:
        for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "NETRC"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), **variables}.items():
            monkeypatch.setenv(name, value)

    surround()
    return surround


@pytest.mark.parametrize("log_with", ["wandb", "all"])
def test_metrics_for_wandb_need_a_key(without_login: Any, install: Install, log_with: Any) -> None:
    with fails("wandb-key-missing", log_with) as caught:
        check_login(install, Training(log_with=log_with), {})
    assert "WANDB_API_KEY" in caught.value.fix and "[secrets]" in caught.value.fix


@pytest.mark.parametrize("log_with", [None, "tensorboard"])
def test_other_metrics_need_none(without_login: Any, install: Install, log_with: Any) -> None:
    check_login(install, Training(log_with=log_with), {})


def test_a_key_of_the_configuration_will_do(without_login: Any, install: Install) -> None:
    check_login(install, Training(log_with="wandb"), {"WANDB_API_KEY": "0123456789"})


@pytest.mark.parametrize("variables", [{"WANDB_API_KEY": "0123456789"}, {"WANDB_MODE": "offline"}])
def test_so_will_a_key_or_a_mode_of_the_environment(
    without_login: Any, install: Install, variables: dict[str, str]
) -> None:
    without_login(**variables)
    check_login(install, Training(log_with="wandb"), {})


@pytest.mark.parametrize(
    ("name", "text", "variables"),
    [
        (".netrc", "machine github.com\n login me\nmachine api.wandb.ai\n  login user\n  password 0123\n", {}),
        ("_netrc", "machine api.wandb.ai login user password 0123", {}),
        (".netrc", "machine wandb.my.org login user password 0123", {"WANDB_BASE_URL": "https://wandb.my.org:8080/x"}),
    ],
)
def test_so_will_a_login(
    without_login: Any, install: Install, tmp_path: Path, name: str, text: str, variables: dict[str, str]
) -> None:
    without_login(**variables)
    (tmp_path / name).write_text(text)
    check_login(install, Training(log_with="wandb"), {})


@pytest.mark.parametrize(
    "text",
    [
        "machine github.com login me password 0123",
        "# machine api.wandb.ai login me password 0123\nmachine github.com login me password 0123",
        "machine api.wandb.ai nonsense",
    ],
)
def test_a_login_elsewhere_will_not(without_login: Any, install: Install, tmp_path: Path, text: str) -> None:
    (tmp_path / ".netrc").write_text(text)
    with fails("wandb-key-missing"):
        check_login(install, Training(log_with="wandb"), {})


def context_of(place: Workplace) -> Any:
    from musubi_nodes.families.context import Context

    return Context(place.host, place.services, "node")


@pytest.mark.parametrize("where", ["models/loras/musubi", "models/loras", "models"])
def test_a_file_in_place_of_the_lora_folder_is_told_before_the_training(tmp_path: Path, where: str) -> None:
    place = Workplace(tmp_path)
    file = place.host.output_folder / where
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("")
    with fails("folder-not-writable", file):
        check_folder(LORA.folder(context_of(place)), LORA.kind)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told_before_the_training(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    folder = place.host.output_folder / "models" / "loras" / "musubi"
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    with fails("folder-not-writable"):
        check_folder(LORA.folder(context_of(place)), LORA.kind)


def test_a_system_that_says_no_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Workplace(tmp_path)
    monkeypatch.setattr(places.os, "access", lambda path, mode: False)
    with fails("folder-not-writable"):
        check_folder(LORA.folder(context_of(place)), LORA.kind)


def test_folders_that_are_not_there_yet_are_no_fault(tmp_path: Path) -> None:
    check_folder(LORA.folder(context_of(Workplace(tmp_path))), LORA.kind)


def test_a_name_may_be_as_long_as_the_longest_path_allows() -> None:
    output = Path("C:/ComfyUI/output")
    free = places.LONGEST_PATH - len(str(output / "musubi" / "runs")) - 1 - places.RUN - places.INSIDE
    check_paths(output, "x" * free, longest=places.LONGEST_PATH)
    with fails("path-too-long") as caught:
        check_paths(output, "x" * (free + 7), longest=places.LONGEST_PATH)
    assert "7" in caught.value.fix
    check_paths(output, "x" * 400, longest=None)


def test_letters_beyond_the_first_plane_count_twice() -> None:
    output = Path("C:/o")
    free = places.LONGEST_PATH - len(str(output / "musubi" / "runs")) - 1 - places.RUN - places.INSIDE
    check_paths(output, "猫" * free, longest=places.LONGEST_PATH)
    with fails("path-too-long"):
        check_paths(output, "😀" * (free // 2 + 1), longest=places.LONGEST_PATH)
