"""The LoRA training scripts: upstream's order of lines, files and refusals around a fit that is really computed."""

from __future__ import annotations

import argparse
import math
import os
import random
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .checkpoints import Checkpoints
from .dataset import CACHES, CachedItem
from .datasets import AnyDataset, load_datasets
from .events import EventWriter
from .families import Denoisers, Family
from .fit import Fit, LossRecorder
from .lora import LoRANetwork, log_of, merge_into, refuse_network
from .metadata import Session, training_metadata
from .optimizer import LOG, AdamW, arguments, clip_norm, optimizer_name
from .samples import Sampler, wants_samples
from .schedules import Schedule, schedule
from .tensors import Array, load
from .timesteps import show
from .training_args import check, with_config_file
from .workers import Workers

ATTENTION = ("sdpa", "flash_attn", "sage_attn", "xformers", "flash3")


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family) -> None:
    """Train a LoRA."""
    print("\n".join(family.import_lines))
    args = with_config_file(args, parser)
    check(args, family)
    if args.show_timesteps:
        show(args)
        return
    Training(args, family).run()


class Training:
    """One run, from the datasets to the last checkpoint."""

    def __init__(self, args: argparse.Namespace, family: Family) -> None:
        self.args, self.family = args, family
        self.session_id, self.started_at = random.randint(0, 2**32), time.time()
        args.seed = random.randint(0, 2**32) if args.seed is None else args.seed
        self.random = np.random.default_rng(args.seed)

    def run(self) -> None:
        """Everything in upstream's order."""
        args = self.args
        self.datasets = self._load_datasets()
        self.logs_folder = self._prepare_accelerator()
        self.sampler = Sampler(args, self.family, args.output_name) if args.sample_prompts else None
        self.denoisers = self._load_dit()
        self.network = self._create_network()
        self.fit = Fit(args, self.family, self.denoisers, self.random)
        self.optimizer, self.optimizer_name = self._create_optimizer()
        self.rate = self._prepare_steps()
        if args.fp8_base and not args.fp8_scaled:
            LOG.info(f"casting model to {self.weights}")
        state = Checkpoints(args, self.family, self.network, self.optimizer, {})
        if args.resume:
            LOG.info(f"resume training from local state: {args.resume}")
            self.rate = schedule(args, state.load_state(Path(args.resume)))
        self.checkpoints = state
        with Workers(min(args.max_data_loader_n_workers, os.cpu_count() or 1)):
            self._train()

    def _load_datasets(self) -> list[AnyDataset]:
        LOG.info(f"Load dataset config from {self.args.dataset_config}")
        datasets = load_datasets(self.args.dataset_config, self.family)
        for dataset in datasets:
            dataset.prepare_for_training()
        if not sum(dataset.num_train_items for dataset in datasets):
            raise ValueError(
                "No training items found in the dataset. Please ensure that the latent/Text Encoder cache has been"
                " created beforehand. / データセットに学習データがありません。latent/Text Encoderキャッシュを事前に"
                "作成したか確認してください"
            )
        return datasets

    def _prepare_accelerator(self) -> Path | None:
        args = self.args
        LOG.info("preparing accelerator")
        if args.log_with in ("tensorboard", "all") and args.logging_dir is None:
            raise ValueError(
                "logging_dir is required when log_with is tensorboard /"
                " Tensorboardを使う場合、logging_dirを指定してください"
            )
        if args.log_with in ("wandb", "all") and find_spec("wandb") is None:
            raise ImportError("No wandb / wandb がインストールされていないようです")
        print("accelerator device: cpu")
        precision = "torch.float16" if args.mixed_precision == "fp16" else "torch.bfloat16"
        self.weights = precision
        if args.fp8_base:
            self.weights = "None" if args.fp8_scaled else "torch.float8_e4m3fn"
        LOG.info(f"DiT precision: {precision}, weight precision: {self.weights}")
        if args.logging_dir is None:
            return None
        return Path(args.logging_dir, (args.log_prefix or "") + time.strftime("%Y%m%d%H%M%S"))

    def _load_dit(self) -> Denoisers:
        LOG.info(f"Loading DiT model from {self.args.dit}")
        if not any(getattr(self.args, name) for name in ATTENTION):
            raise ValueError(
                "either --sdpa, --flash-attn, --flash3, --sage-attn or --xformers must be specified / --sdpa,"
                " --flash-attn, --flash3, --sage-attn, --xformersのいずれかを指定してください"
            )
        return self.family.load_denoisers(self.args)

    def _create_network(self) -> LoRANetwork:
        args = self.args
        print("import network module:", args.network_module)
        self._check_network_module(args.network_module)
        for index, path in enumerate(args.base_weights or []):
            multipliers = args.base_weights_multiplier or []
            multiplier = multipliers[index] if index < len(multipliers) else 1.0
            print(f"merging module: {path} with multiplier {multiplier}")
            merge_into(self.denoisers.low.weights, load(path), multiplier)
        if args.dim_from_weights:
            LOG.info(f"Loading network from weights: {args.dim_from_weights}")
            raise TypeError("expected str, bytes or os.PathLike object, not bool")
        log = log_of(args.network_module)
        network = LoRANetwork.create(self.denoisers.low, args.network_dim, args.network_alpha, self.random, log)
        for dit in (self.denoisers.low, self.denoisers.high):
            if dit is not None:
                dit.network = network.pairs
        if args.network_weights is not None:
            answer = network.load(load(args.network_weights))
            print(f"load network weights from {args.network_weights}: {answer}")
        if args.gradient_checkpointing:
            print(self.family.checkpointing_line.format(offload=args.gradient_checkpointing_cpu_offload))
        return network

    def _check_network_module(self, module: str | None) -> None:
        if module is None:
            raise AttributeError("'NoneType' object has no attribute 'startswith'")
        if module in self.family.network_modules:
            return
        if module.rpartition(".")[0] not in ("networks", "musubi_tuner.networks"):
            raise ModuleNotFoundError(f"No module named '{module}'")
        if module.endswith(("loha", "lokr")):
            raise NotImplementedError(f"the practice install trains LoRA only, not {module}")
        refuse_network(log_of(module))

    def _create_optimizer(self) -> tuple[AdamW, str]:
        print("prepare optimizer, data loader etc.")
        name = optimizer_name(self.args)
        ratio = dict(pair.split("=") for pair in self.args.network_args or []).get("loraplus_lr_ratio")
        rates: Array | float = 1.0
        self.rate_names = {"unet": 1.0}
        if ratio is not None:
            self.rate_names["unet plus"] = float(ratio)
            rates = np.ones_like(self.network.values)
            start = 0
            for pair in self.network.pairs.values():
                start += pair.down.size
                rates[start : start + pair.up.size] = float(ratio)
                start += pair.up.size
        decay = float(arguments(self.args.optimizer_args).get("weight_decay", AdamW.decay))
        return AdamW(self.network.values, rates, decay), name

    def _prepare_steps(self) -> Schedule:
        args = self.args
        if args.persistent_data_loader_workers and not args.max_data_loader_n_workers:
            raise ValueError("persistent_workers option needs num_workers > 0")
        self.batches = sum(len(dataset.batches) for dataset in self.datasets)
        updates = math.ceil(self.batches / args.gradient_accumulation_steps)
        if args.max_train_epochs is not None:
            args.max_train_steps = args.max_train_epochs * updates
            print(
                f"override steps. steps for {args.max_train_epochs} epochs is / 指定エポックまでのステップ数:"
                f" {args.max_train_steps}"
            )
        self.epochs = math.ceil(args.max_train_steps / updates)
        return schedule(args)

    def _train(self) -> None:
        args = self.args
        items = sum(dataset.num_train_items for dataset in self.datasets)
        sizes = ", ".join(str(dataset.params.batch_size) for dataset in self.datasets)
        print("running training / 学習開始")
        print(f"  num train items / 学習画像、動画数: {items}")
        print(f"  num batches per epoch / 1epochのバッチ数: {self.batches}")
        print(f"  num epochs / epoch数: {self.epochs}")
        print(f"  batch size per device / バッチサイズ: {sizes}")
        print(f"  gradient accumulation steps / 勾配を合計するステップ数 = {args.gradient_accumulation_steps}")
        print(f"  total optimization steps / 学習ステップ数: {args.max_train_steps}")
        session = Session(self.session_id, self.started_at, self.optimizer_name, items, self.batches, self.epochs)
        self.checkpoints.metadata = training_metadata(args, self.family, self.datasets, session)
        self.events = self._open_events()
        self.bar = tqdm(range(args.max_train_steps), smoothing=0, desc="steps")
        told = f" (--save_precision {args.save_precision})" if args.save_precision is not None else " (default)"
        LOG.info(f"network weights will be saved as torch.{self.checkpoints.dtype}{told}")
        self._sample(0, 0)
        LOG.info(f"DiT dtype: {'torch.bfloat16' if args.fp8_scaled else self.weights}, device: cpu")
        self.losses, self.global_step = LossRecorder(), 0
        for epoch in range(self.epochs):
            print(f"\nepoch {epoch + 1}/{self.epochs}")
            self._train_epoch(epoch)
            if self.events:
                self.events.scalar("loss/epoch", self.losses.average, epoch + 1)
            every = args.save_every_n_epochs
            if every is not None and (epoch + 1) % every == 0 and epoch + 1 < self.epochs:
                self.checkpoints.save_at_epoch(epoch + 1, self.global_step)
            self._sample(epoch + 1, self.global_step)
        if self.events:
            self.events.close()
        if args.save_state or args.save_state_on_train_end:
            self.checkpoints.save_state("saving last state.", str(args.output_name))
        self.checkpoints.save_model(args.output_name + "", self.global_step, self.epochs)
        LOG.info("model saved.")

    def _open_events(self) -> EventWriter | None:
        if self.logs_folder is None:
            return None
        folder = self.logs_folder / (self.args.log_tracker_name or "network_train")
        if self.args.log_config:
            config = folder / str(time.time())
            config.mkdir(parents=True)
            (config / "hparams.yml").write_text("".join(f"{k}: {v}\n" for k, v in vars(self.args).items()), "utf-8")
        return EventWriter(folder)

    def _sample(self, epoch: int | None, step: int) -> None:
        if not wants_samples(self.args, step, epoch):
            return
        LOG.info("")
        LOG.info(f"generating sample images at step / サンプル画像生成 ステップ: {step}")
        if self.sampler is None:
            LOG.error(f"No prompt file / プロンプトファイルがありません: {self.args.sample_prompts}")
            return
        self.sampler.make(self.denoisers, epoch, step)

    def _train_epoch(self, epoch: int) -> None:
        args = self.args
        for step, items in enumerate(self._batches(epoch)):
            is_update = (step + 1) % args.gradient_accumulation_steps == 0 or step + 1 == self.batches
            loss = self.fit.learn(items)
            if is_update:
                self._update(step)
            limited = self.network.limit_norms(args.scale_weight_norms) if args.scale_weight_norms else None
            if is_update:
                self._advance(epoch)
            self.losses.add(epoch, step, loss)
            self._report(loss, limited)
            if self.global_step >= args.max_train_steps:
                break

    def _update(self, step: int) -> None:
        args = self.args
        size = step % args.gradient_accumulation_steps + 1
        self.network.grads /= size
        clip_norm(self.network.grads, args.max_grad_norm)
        with np.errstate(all="ignore"):
            self.optimizer.step(self.network.grads, (args.learning_rate or 0.0) * self.rate(self.global_step))
        self.network.grads[:] = 0

    def _advance(self, epoch: int) -> None:
        args = self.args
        if self.global_step == 0:
            self.bar.reset()
        self.bar.update(1)
        self.global_step += 1
        if wants_samples(args, self.global_step, None):
            self._sample(None, self.global_step)
        if args.save_every_n_steps is not None and self.global_step % args.save_every_n_steps == 0:
            self.checkpoints.save_at_step(self.global_step, epoch)

    def _report(self, loss: float, limited: tuple[int, float, float] | None) -> None:
        average = self.losses.average
        self.bar.set_postfix(avr_loss=average)
        scalars = {"loss/current": loss, "loss/average": average}
        if limited is not None:
            self.bar.set_postfix({"Keys Scaled": limited[0], "Average key norm": limited[1], "avr_loss": average})
            names = ("keys_scaled", "average_key_norm", "max_key_norm")
            scalars |= {f"max_norm/{name}": float(value) for name, value in zip(names, limited, strict=True)}
        if self.events:
            rate = (self.args.learning_rate or 0.0) * self.rate(self.global_step)
            scalars |= {f"lr/{name}": rate * factor for name, factor in self.rate_names.items()}
            for tag, value in scalars.items():
                self.events.scalar(tag, value, self.global_step)

    def _batches(self, epoch: int) -> Iterator[list[CachedItem]]:
        """All batches of all datasets in a new order; the workers' lines about the epoch come with the first ones."""
        workers = min(self.args.max_data_loader_n_workers, os.cpu_count() or 1)
        known = epoch if self.args.persistent_data_loader_workers or not workers else 0
        for dataset in self.datasets:
            dataset.shuffle(self.args.seed + epoch + 1)
            for _ in range(max(1, min(workers, self.batches))):
                CACHES.info(f"epoch is incremented. current_epoch: {known}, epoch: {epoch + 1}")
        order = [(dataset, index) for dataset in self.datasets for index in range(len(dataset.batches))]
        for place in self.random.permutation(len(order)):
            dataset, index = order[place]
            yield dataset.batch(index)
