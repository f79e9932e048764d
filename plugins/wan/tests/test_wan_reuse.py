"""What was cached or trained before is handed on, and exactly what has changed is made anew."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.errors import Crashed
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import TOML

ALL = {"WanLatentCache", "WanTextEncoderCache", "WanLoRATrainer"}


def queue(place: Any, models: Any = None, **values: Any) -> Any:
    """Dataset, both caches and the trainer, as a queued graph."""
    path = place.folder / "pictures.toml"
    return place.train(place.caches(path if path.exists() else place.dataset(), models=models), **values)


def started(place: Any) -> Counter[str]:
    return Counter(run.name.rsplit("-", 2)[1] for run in place.started_since())


def test_an_unchanged_graph_starts_no_process_also_in_another_session(place: Any) -> None:
    first = queue(place)
    assert set(started(place)) == ALL
    place.forget()
    again = queue(type(place)(place.folder))
    assert not started(place)
    assert again.lora.path == first.lora.path and again.run.folder == first.run.folder
    assert queue(place).lora.path == first.lora.path
    assert first.lora.path.name in place.texts[0]


def caption(place: Any) -> None:
    (place.folder / "pictures" / "p1.txt").write_text("another caption", "utf-8")


def caption_of_the_same_length_and_time(place: Any) -> None:
    file = place.folder / "pictures" / "p1.txt"
    facts, text = file.stat(), file.read_text("utf-8")
    file.write_text(text.replace("1", "7"), "utf-8")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def picture(place: Any) -> None:
    pictures = place.folder / "pictures"
    (pictures / "p1.png").write_bytes((pictures / "p2.png").read_bytes())


def picture_of_another_size(place: Any) -> None:
    from PIL import Image

    Image.new("RGB", (192, 128)).save(place.folder / "pictures" / "p1.png")


def added(place: Any) -> None:
    for ending in (".png", ".txt"):
        shutil.copy(place.folder / "pictures" / f"p1{ending}", place.folder / "pictures" / f"p4{ending}")


def removed(place: Any) -> None:
    for name in ("p3.png", "p3.txt"):
        (place.folder / "pictures" / name).unlink()


def resolution(place: Any) -> None:
    path = place.folder / "pictures.toml"
    path.write_text(path.read_text("utf-8").replace("[96, 64]", "[64, 64]"), "utf-8")


def touched(path: Path) -> None:
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))


def model(name: str) -> Callable[[Any], None]:
    return lambda place: touched(Path(getattr(place.models(), name)))


def code(*names: str) -> Callable[[Any], None]:
    def change(place: Any) -> None:
        for name in names:
            file = place.services.install().root / "src" / "musubi_tuner" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="utf-8") as script:
                script.write("\n# another version\n")

    return change


def cache_gone(place: Any) -> None:
    next(place.folder.glob("output/musubi/cache/**/*_wan_te.safetensors")).unlink()


def cache_truncated(place: Any) -> None:
    file = next(place.folder.glob("output/musubi/cache/**/p2*_wan.safetensors"))
    file.write_bytes(file.read_bytes()[:-40])


def cache_of_nothing(place: Any) -> None:
    cache = next(place.folder.glob("output/musubi/cache/**/p2*_wan.safetensors"))
    cache.with_name("zz_0096x0064_wan.safetensors").write_bytes(cache.read_bytes()[:50])


def link_to_nowhere(place: Any) -> None:
    cache = next(place.folder.glob("output/musubi/cache/**/p2*_wan.safetensors"))
    link = cache.with_name("x_wan.safetensors")
    with contextlib.suppress(OSError):
        link.symlink_to("nowhere")
    if not link.is_symlink():
        pytest.skip("no symbolic link can be made here")


def lora_gone(place: Any) -> None:
    for file in place.published():
        file.unlink()


NAMES = ("p0", "p1", "p2", "p4")
"""The items, after one was added and one was removed."""
LATENTS, TEXTS = {f"{name}_0096x0064_wan" for name in NAMES}, {f"{name}_wan_te" for name in NAMES}
CHANGES: dict[str, tuple[Callable[[Any], None], set[str], bool]] = {
    "a caption, same length and time": (caption_of_the_same_length_and_time, {"p1_wan_te"}, True),
    "a caption": (caption, {"p1_wan_te"}, True),
    "a picture of another size": (picture_of_another_size, {"p1_0192x0128_wan"}, True),
    "one of the same name": (picture, {"p1_0096x0064_wan"}, True),
    "an item more": (added, {"p4_0096x0064_wan", "p4_wan_te"}, True),
    "an item less": (removed, set(), True),
    "another resolution": (resolution, LATENTS, True),
    "another VAE": (model("vae"), LATENTS, True),
    "another T5": (model("t5"), TEXTS, True),
    "another DiT": (model("dit"), set(), True),
    "the code of both encoders": (code("dataset/image_video_dataset.py"), LATENTS | TEXTS, True),
    "the code of the VAE": (code("wan/modules/vae.py"), LATENTS, True),
    "the latent cache script": (code("wan_cache_latents.py"), LATENTS, True),
    "the trainer's code": (code("wan_train_network.py"), set(), True),
    "the code of LoRAs": (code("networks/lora_wan.py"), set(), True),
    "another family's code": (code("new_cache_latents.py", "hv_train_network.py"), set(), False),
    "a cache file deleted": (cache_gone, TEXTS, True),
    "one truncated": (cache_truncated, {"p2_0096x0064_wan"}, True),
    "one of nothing": (cache_of_nothing, set(), False),
    "the LoRA deleted": (lora_gone, set(), True),
    "a link to nowhere": (link_to_nowhere, set(), False),
}
"""What is changed, which cache files are written anew, and whether it is trained again; each begins where the one
before ended."""


def test_exactly_what_has_changed_is_made_anew(place: Any) -> None:
    programmed(place)
    queue(place)
    for row, (change, expected, trains) in CHANGES.items():
        change(place)
        before, _ = written(place), place.forget()
        assert queue(place).lora.path.is_file(), row
        anew = {name for name, time in written(place).items() if before.get(name) != time}
        assert anew == expected if change is not cache_gone else len(anew) == 1 and anew < expected, row
        texts = {name for name in anew if name.endswith("_te")}
        kinds = {kind for kind, names in (("WanLatentCache", anew - texts), ("WanTextEncoderCache", texts)) if names}
        assert set(started(place)) == (kinds | {"WanLoRATrainer"} if trains else kinds), row
        assert not list(place.folder.glob("output/musubi/cache/**/zz_*")), row


def written(place: Any) -> dict[str, int]:
    """When each cache file was written, by its name without ending."""
    files = place.folder.glob("output/musubi/cache/**/*_wan*.safetensors")
    return {file.stem: file.lstat().st_mtime_ns for file in files}


def programmed(place: Any) -> None:
    """A musubi-tuner whose scripts import what the real ones do (v0.3.4)."""
    place.misbehaving("", "")
    package = place.services.install().root / "src" / "musubi_tuner"
    shared = "from musubi_tuner.dataset.image_video_dataset import"
    for name, code in {
        "wan_cache_latents.py": f"{shared} ItemInfo\nfrom musubi_tuner.wan.modules.vae import WanVAE",
        "wan_cache_text_encoder_outputs.py": f"{shared} ARCHITECTURE_WAN",
        "wan_train_network.py": f"{shared} DatasetGroup",
    }.items():
        file = package / name
        file.write_text(
            f"{file.read_text('utf-8')}\nif False:\n    {code.replace(chr(10), chr(10) + '    ')}\n", "utf-8"
        )
    for name in ("dataset/image_video_dataset.py", "wan/modules/vae.py", "networks/lora_wan.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("", "utf-8")


def test_an_interrupted_caching_goes_on(place: Any) -> None:
    """Two of four latents are there and whole, a third is half-written."""
    place.dataset()
    flag = place.folder / "broken"
    flag.touch()
    place.misbehaving("wan_cache_latents.py", KILLED.replace("{flag}", flag.as_posix()))
    with pytest.raises(Crashed):
        queue(place)
    caption(place)
    before = written(place)
    first = {f"p{number}_0096x0064_wan" for number in range(4)}
    assert set(before) < first and len(before) == 3
    flag.unlink()
    queue(place)
    anew = {name for name, time in written(place).items() if before.get(name) != time}
    assert len(anew & first) == 2 and anew >= {f"p{number}_wan_te" for number in range(4)}


KILLED = """
import os
from pathlib import Path
from musubi_tuner.miniature import cache_latents
save, done = cache_latents.save_item, []
def ending(path, *rest):
    save(path, *rest)
    done.append(path)
    if len(done) == 3 and Path("{flag}").exists():
        Path(path).write_bytes(Path(path).read_bytes()[:-40])
        os.kill(os.getpid(), 9)
cache_latents.save_item = ending
"""


def test_another_item_in_the_users_own_cache_folder_is_told_before_anything_starts(place: Any) -> None:
    path = place.dataset(toml=f"{TOML}cache_directory = 'own'\n")
    place.caches(path)
    removed(place)
    place.forget()
    with fails("cache-orphaned", 1, "latent", "p3_"):
        place.caches(path)
    assert not started(place)
    for file in (place.folder / "own").glob("p3*"):
        file.unlink()
    place.caches(path)
    assert not started(place)


def test_in_a_folder_of_the_users_own_what_has_changed_is_made_anew(place: Any) -> None:
    path = place.dataset(toml=f"{TOML}cache_directory = 'own'\n")
    place.caches(path)
    caption(place)
    place.forget()
    place.caches(path)
    assert started(place) == {"WanTextEncoderCache": 1}


def other_vae(place: Any) -> dict[str, Any]:
    copy = place.host.output_folder / "models" / "vae" / "other.safetensors"
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(place.models().vae, copy)
    return {"models": place.models(vae="other.safetensors")}


def test_caches_that_were_made_by_hand_are_lost_to_no_script_that_cannot_start(place: Any) -> None:
    path = place.dataset(toml=f"{TOML}cache_directory = 'own'\n")
    place.caches(path)
    own = path.parent / "own"
    for note in own.glob(".*.json"):
        note.unlink()
    made = {file: file.read_bytes() for file in own.iterdir()}
    place.misbehaving("wan_cache_latents.py", "raise SystemExit('no such VAE')")
    with fails("script-failed", "no such VAE"):
        place.caches(path)
    assert made == {file: file.read_bytes() for file in own.iterdir()}


def test_caches_that_another_node_has_replaced_are_not_trained_on(place: Any) -> None:
    caches = place.caches(place.dataset())
    dataset = place.load(place.folder / "pictures.toml")
    place.run("WanLatentCache", dataset=dataset, **other_vae(place))
    place.forget()
    with fails("cache-changed", "latent", "pictures"):
        place.train(caches)
    assert not started(place)


@pytest.mark.parametrize("stray", [cache_of_nothing, link_to_nowhere], ids=["half a file", "a link to nowhere"])
def test_what_lies_among_the_caches_by_chance_does_not_reach_a_training(place: Any, stray: Any) -> None:
    """musubi-tuner would read it by its glob, and hang on half a file (v0.3.4)."""
    caches = place.caches()
    stray(place)
    place.forget()
    with fails("cache-changed"):
        place.train(caches)
    assert not started(place)
    assert place.train(place.caches(place.folder / "pictures.toml")).lora


def test_two_tomls_of_one_name_do_not_share_caches(place: Any) -> None:
    """Names of caches carry the picture's own size: another resolution would replace them."""
    path = place.dataset()
    caches, low = place.caches(path), place.folder / "low" / path.name
    low.parent.mkdir()
    low.write_text(path.read_text("utf-8").replace("[96, 64]", "[64, 64]"), "utf-8")
    place.caches(low)
    assert len(list(place.folder.glob("output/musubi/cache/**/p1_0096x0064_wan.safetensors"))) == 2
    assert place.train(caches).lora


def test_what_is_only_faster_encodes_nothing_again(place: Any) -> None:
    path = place.dataset()
    place.caches(path)
    place.forget()
    place.run("WanLatentCache", dataset=place.load(path), models=place.models(), num_workers=2, batch_size=1)
    assert not started(place)


def test_other_training_settings_train_again_and_encode_nothing(place: Any) -> None:
    queue(place)
    for values in ({"learning_rate": 0.02}, {"seed": 7}, {"max_train_epochs": 3}):
        place.forget()
        queue(place, training=place.training(**values))
        assert set(started(place)) == {"WanLoRATrainer"}, values
    place.forget()
    queue(place)
    assert not started(place)


def test_a_switch_trains_again(place: Any) -> None:
    first = queue(place).lora
    place.forget()
    assert queue(place, train_again=True).lora.path != first.path
    assert started(place) == {"WanLoRATrainer": 1}


def test_speed_device_and_logs_train_nothing_again(place: Any) -> None:
    queue(place)
    place.forget()
    workers = {"max_data_loader_n_workers": 4, "persistent_data_loader_workers": False}
    logs = {"log_with": "tensorboard", "log_prefix": "night", "log_tracker_name": "night", "log_config": True}
    queue(place, memory=place.settings("MemoryOptimizer", blocks_to_swap=4), device="cuda:0")
    queue(place, training=place.training(**workers, **logs, wandb_run_name="night"), ddp_timeout=60)
    assert not started(place)


def test_options_of_the_server_that_make_another_lora_count_and_uploads_do_not(place: Any) -> None:
    queue(place)
    options = place.services.config.options
    for given, makes in ({"network_dropout": 0.3}, 1), ({"huggingface_repo_id": "me/loras"}, 0), ({}, 0):
        options.clear()
        options.update(given)
        place.forget()
        place.started_since()
        queue(place)
        assert started(place)["WanLoRATrainer"] == makes
    options.update(seed=7)
    with fails("option-set-twice", "[options] of config.toml", "seed"):
        queue(place)
    options.clear()


def test_settings_that_say_what_counts_anyway_train_nothing_again(place: Any) -> None:
    queue(place)
    place.forget()
    for kind in "Sampling", "Optimizer":
        settings = getattr(place.run(f"{kind}Config"), kind.lower())
        queue(place, **{kind.lower(): settings})
    queue(place, optimizer=place.run("OptimizerConfig", optimizer_type="AdamW").optimizer)
    assert not started(place)
