"""Time of a pretraining step, compared with bare forward and backward passes of both models, and with peers.

    python benchmarks/throughput.py                      # CPU, one thread: about ten minutes
    python benchmarks/throughput.py --device cuda --precision bf16 --batch 64

Peers that are not installed are skipped with a message: `pip install --no-deps rtd_gdes txtai`. All loops take their
steps alternately, in one process, on the same blocks and model sizes. The table gives the median time of a step (on a
CPU the CPU time, which other programs do not disturb) and the ratio to ours.

bound: forward and backward of generator and discriminator on prepared tensors; no masking, sampling, clipping or
optimizer. plain: a straightforward loop over transformers, with the vocabulary projection at every position and torch's
AdamW. txtai: its TokenDetection module in the same plain loop. rtd_gdes: its own model and step, on DeBERTa, where one
network is generator and discriminator; ours then has a generator as deep as the discriminator.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import AutoTokenizer, DebertaV2Config, DebertaV2ForMaskedLM, DebertaV2Model

from electra_ie.config.pretrain import PretrainSettings
from electra_ie.config.train import EMBEDDED
from electra_ie.models.encoders import resolve_encoder
from electra_ie.pretraining import model_factory
from electra_ie.pretraining.masking import MaskingCollator, TokenBatches
from electra_ie.pretraining.setup import prepare
from electra_ie.training.loop import AdversarialPair, make_accelerator, training_steps

Steps = Iterator[None]


class Blocks:
    """Blocks of random tokens; speed does not depend on the text."""

    def __init__(self, tokenizer: Any, length: int) -> None:
        self.tokenizer, self.length = tokenizer, length

    def rows(self, indices: np.ndarray) -> np.ndarray:
        ids = np.random.default_rng(indices[0]).integers(2_000, len(self.tokenizer), (len(indices), self.length))
        ids[:, 0], ids[:, -1] = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        return ids


def ours(pair: AdversarialPair, batches: TokenBatches, settings: PretrainSettings) -> Steps:
    """Run the steps of this package."""
    for group in pair.optimizer.param_groups:
        group["peak"] = 1e-4
    for _ in training_steps(pair, batches, settings):
        yield


def bound(pair: AdversarialPair, batches: TokenBatches, _: PretrainSettings) -> Steps:
    """Run forward and backward passes on prepared tensors; the weights never change."""
    discriminator, generator = pair.unwrapped_discriminator.train(), pair.unwrapped_generator.train()
    batch = batches[0].to(pair.accelerator.device)
    generated = generator(**batch).detach()
    while True:
        with pair.accelerator.autocast():
            filled = generator.predict_masked(batch)
            loss = functional.cross_entropy(filled.logits, filled.labels)
        loss.backward()
        with pair.accelerator.autocast():
            units = discriminator(**batch, generated=generated).units["tokens"]
            loss = functional.binary_cross_entropy_with_logits(-units.realness, generated.replaced.flatten().float())
        loss.backward()
        for model in (discriminator, generator):
            model.zero_grad()
        yield


def _labels(batch: Any) -> torch.Tensor:
    return torch.full_like(batch.input_ids, -100).scatter(
        1, batch.positions, batch.input_ids.gather(1, batch.positions)
    )


def plain(pair: AdversarialPair, batches: TokenBatches, settings: PretrainSettings) -> Steps:
    """Run a straightforward loop over stock transformers models."""
    with (
        pair.unwrapped_generator.stock_model() as generator,
        pair.unwrapped_discriminator.stock_model() as discriminator,
    ):
        weights = [*generator.parameters(), *discriminator.parameters()]
        optimizer = torch.optim.AdamW({id(weight): weight for weight in weights}.values(), lr=1e-4)
        for index in range(settings.max_steps or 0):
            batch = batches[index].to(pair.accelerator.device)
            labels = _labels(batch)
            with pair.accelerator.autocast():
                filled = generator(input_ids=batch.masked_ids, attention_mask=batch.mask, labels=labels)
                masked = labels != -100
                sampled = torch.multinomial(filled.logits[masked].float().softmax(-1), 1).squeeze(-1)
                ids = batch.input_ids.clone()
                ids[masked] = sampled
                replaced = (ids != batch.input_ids).long()
                detected = discriminator(input_ids=ids, attention_mask=batch.mask, labels=replaced)
                loss = filled.loss + 50 * detected.loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1.0)
            optimizer.step()
            optimizer.zero_grad()
            yield


def txtai(pair: AdversarialPair, batches: TokenBatches, settings: PretrainSettings) -> Steps:
    """Run the plain loop with txtai's module."""
    from txtai.models.tokendetection import TokenDetection

    TokenDetection._supports_sdpa = True  # transformers 5 refuses to build it otherwise
    with (
        pair.unwrapped_generator.stock_model() as generator,
        pair.unwrapped_discriminator.stock_model() as discriminator,
    ):
        model = TokenDetection(generator, discriminator, None).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        for index in range(settings.max_steps or 0):
            batch = batches[index].to(pair.accelerator.device)
            with pair.accelerator.autocast():
                loss = model(input_ids=batch.masked_ids, labels=_labels(batch), attention_mask=batch.mask)[0]
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            yield


def rtd_gdes(pair: AdversarialPair, batches: TokenBatches, settings: PretrainSettings) -> Steps:
    """Run the model and step of rtd_gdes."""
    from rtd_gdes.gdes.model import DebertaV3GDES
    from rtd_gdes.gdes.trainer import _build_disc_labels, _disc_loss

    model = DebertaV3GDES.__new__(DebertaV3GDES)  # its __init__ needs a name on the hub
    torch.nn.Module.__init__(model)
    device = pair.accelerator.device
    model.deberta = DebertaV2ForMaskedLM(pair.unwrapped_discriminator.encoder.config).to(device)
    model.disc_head = torch.nn.Linear(model.deberta.config.hidden_size, 1).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for index in range(settings.max_steps or 0):
        batch = batches[index].to(device)
        with pair.accelerator.autocast():
            filled = model.forward_gen(input_ids=batch.masked_ids, attention_mask=batch.mask, labels=_labels(batch))
            detected = model.forward_disc(input_ids=filled.logits.argmax(-1), attention_mask=batch.mask)
            labels = _build_disc_labels(batch.masked_ids, batches.masker.mask_id)
            loss = filled.loss + 50 * _disc_loss(detected, labels, batch.mask)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield


def deberta(settings: PretrainSettings, tokenizer: Any) -> Any:
    """Make `prepare` build both models as small DeBERTas with new weights and equal depth; return their config."""
    config = DebertaV2Config(
        vocab_size=len(tokenizer), hidden_size=256, num_hidden_layers=6, num_attention_heads=4, intermediate_size=1024,
        relative_attention=True, position_buckets=64, pos_att_type=["p2c", "c2p"], share_att_key=True,
        norm_rel_ebd="layer_norm", position_biased_input=False, type_vocab_size=0, pad_token_id=0,
    )  # fmt: skip
    model_factory.load_encoder = lambda *_: DebertaV2Model(config)
    model_factory.load_generator = lambda *_: DebertaV2ForMaskedLM(config)
    return config


CASES: dict[str, tuple[str, dict[str, Callable[..., Steps]]]] = {
    "ELECTRA-small": ("plain", {"ours": ours, "bound": bound, "plain": plain, "txtai": txtai}),
    "DeBERTa, 6 layers of 256": ("disentangled", {"ours": ours, "bound": bound, "rtd_gdes": rtd_gdes}),
}


def times(case: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Return the median seconds of a step of each loop."""
    sharing, loops = CASES[case]
    tokenizer = AutoTokenizer.from_pretrained(resolve_encoder(EMBEDDED))
    settings = PretrainSettings(
        from_scratch="small",
        embedding_sharing=sharing,
        block_length=arguments.length,
        batch_size=arguments.batch,
        max_steps=10_000,
        learning_rate=1e-4,
        dropout=True,  # as in all the others
    ).with_defaults()
    config = (
        model_factory.shape(settings, tokenizer, False) if case == "ELECTRA-small" else deberta(settings, tokenizer)
    )
    running = {}
    for name, loop in loops.items():
        torch.manual_seed(0)
        pair = prepare(make_accelerator(arguments.precision), settings, config, tokenizer)
        masker = MaskingCollator(tokenizer, arguments.length, settings.mask_ratio, settings.keep_ratio)
        batches = TokenBatches(Blocks(tokenizer, arguments.length), np.arange(100_000), masker, arguments.batch, 0)  # type: ignore[arg-type]
        running[name] = loop(pair, batches, settings)
        try:
            next(running[name])
        except ImportError:
            print(f"{name} is not installed: skipped")
            del running[name]
    clock = time.perf_counter if arguments.device == "cuda" else time.process_time
    seconds: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(arguments.steps):
        for name, steps in running.items():
            began = clock()
            next(steps)
            if arguments.device == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(clock() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("no", "bf16"), default="no")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    arguments = parser.parse_args()
    print(
        "| shape | loop | seconds per step | tokens per second | time, ours = 1 |\n| --- | --- | ---: | ---: | ---: |"
    )
    for case in arguments.cases:
        medians = times(case, arguments)
        for name, seconds in medians.items():
            speed = arguments.batch * arguments.length / seconds
            ratio = seconds / medians["ours"]
            print(f"| {case} | {name} | {seconds:.3f} | {speed:,.0f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
