"""How fast a pretraining step is: beside the bare forward and backward passes of both players, and beside peers.

    python benchmarks/throughput.py                      # CPU, one thread: about ten minutes
    python benchmarks/throughput.py --device cuda --precision bf16 --batch 64

Peers that are not installed are left out, and said to be: `pip install --no-deps rtd_gdes txtai`. Each contestant takes
its step in turn, in one process, on the same blocks and the same shapes; the table gives the median time of a step
(on a CPU the CPU time, which other programs do not disturb) and the ratio to ours.

bound: forward and backward of generator and discriminator on ready tensors; no masking, sampling, clipping, optimiser.
plain: a straightforward loop over transformers, the vocabulary projected at every position, torch's AdamW.
txtai: its TokenDetection module in the same plain loop. rtd_gdes: its own model and its own step, on DeBERTa, where one
network is both players; ours beside it has a generator as deep as the discriminator.
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
from electra_ie.pretraining import model_factory as models
from electra_ie.pretraining.masking import MaskingCollator, TokenBatches
from electra_ie.pretraining.setup import prepare
from electra_ie.training.loop import make_accelerator, training_steps

Steps = Iterator[None]


class Blocks:
    """Random tokens: no speed depends on what they say."""

    def __init__(self, tokenizer: Any, length: int):
        self.tokenizer, self.length = tokenizer, length

    def rows(self, places: np.ndarray) -> np.ndarray:
        ids = np.random.default_rng(places[0]).integers(2_000, len(self.tokenizer), (len(places), self.length))
        ids[:, 0], ids[:, -1] = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        return ids


def ours(players: Any, batches: TokenBatches, settings: PretrainSettings) -> Steps:
    for group in players.optimizer.param_groups:
        group["peak"] = 1e-4
    for _ in training_steps(players, batches, settings):
        yield


def bound(players: Any, batches: TokenBatches, _: PretrainSettings) -> Steps:
    """On ready tensors; weights are never changed."""
    judge, maker = players.unwrapped_discriminator.train(), players.unwrapped_generator.train()
    batch = batches[0].to(players.accelerator.device)
    generated = maker(**batch).detach()
    while True:
        with players.accelerator.autocast():
            filled = maker.predict_masked(batch)
            loss = functional.cross_entropy(filled.logits, filled.labels)
        loss.backward()
        with players.accelerator.autocast():
            units = judge(**batch, generated=generated).units["tokens"]
            loss = functional.binary_cross_entropy_with_logits(-units.realness, generated.replaced.flatten().float())
        loss.backward()
        for player in (judge, maker):
            player.zero_grad()
        yield


def _labels(batch: Any) -> torch.Tensor:
    return torch.full_like(batch.input_ids, -100).scatter(1, batch.places, batch.input_ids.gather(1, batch.places))


def plain(players: Any, batches: TokenBatches, settings: PretrainSettings) -> Steps:
    with (
        players.unwrapped_generator.stock_model() as generator,
        players.unwrapped_discriminator.stock_model() as discriminator,
    ):
        parts = [*generator.parameters(), *discriminator.parameters()]
        optimizer = torch.optim.AdamW({id(each): each for each in parts}.values(), lr=1e-4)
        for number in range(settings.max_steps or 0):
            batch = batches[number].to(players.accelerator.device)
            labels = _labels(batch)
            with players.accelerator.autocast():
                made = generator(input_ids=batch.masked_ids, attention_mask=batch.mask, labels=labels)
                chosen = labels != -100
                drawn = torch.multinomial(made.logits[chosen].float().softmax(-1), 1).squeeze(-1)
                ids = batch.input_ids.clone()
                ids[chosen] = drawn
                told = (ids != batch.input_ids).long()
                found = discriminator(input_ids=ids, attention_mask=batch.mask, labels=told)
                loss = made.loss + 50 * found.loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1.0)
            optimizer.step()
            optimizer.zero_grad()
            yield


def txtai(players: Any, batches: TokenBatches, settings: PretrainSettings) -> Steps:
    from txtai.models.tokendetection import TokenDetection

    TokenDetection._supports_sdpa = True  # without which transformers 5 refuses to build it
    with (
        players.unwrapped_generator.stock_model() as generator,
        players.unwrapped_discriminator.stock_model() as discriminator,
    ):
        model = TokenDetection(generator, discriminator, None).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        for number in range(settings.max_steps or 0):
            batch = batches[number].to(players.accelerator.device)
            with players.accelerator.autocast():
                loss = model(input_ids=batch.masked_ids, labels=_labels(batch), attention_mask=batch.mask)[0]
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            yield


def rtd_gdes(players: Any, batches: TokenBatches, settings: PretrainSettings) -> Steps:
    from rtd_gdes.gdes.model import DebertaV3GDES
    from rtd_gdes.gdes.trainer import _build_disc_labels, _disc_loss

    model = DebertaV3GDES.__new__(DebertaV3GDES)  # its own __init__ wants a name on the hub
    torch.nn.Module.__init__(model)
    device = players.accelerator.device
    model.deberta = DebertaV2ForMaskedLM(players.unwrapped_discriminator.encoder.config).to(device)
    model.disc_head = torch.nn.Linear(model.deberta.config.hidden_size, 1).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for number in range(settings.max_steps or 0):
        batch = batches[number].to(device)
        with players.accelerator.autocast():
            made = model.forward_gen(input_ids=batch.masked_ids, attention_mask=batch.mask, labels=_labels(batch))
            found = model.forward_disc(input_ids=made.logits.argmax(-1), attention_mask=batch.mask)
            told = _build_disc_labels(batch.masked_ids, batches.masker.mask_id)
            loss = made.loss + 50 * _disc_loss(found, told, batch.mask)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield


def deberta(settings: PretrainSettings, tokenizer: Any) -> Any:
    """Both players of a small DeBERTa with new weights, the generator as deep as the discriminator."""
    config = DebertaV2Config(
        vocab_size=len(tokenizer), hidden_size=256, num_hidden_layers=6, num_attention_heads=4, intermediate_size=1024,
        relative_attention=True, position_buckets=64, pos_att_type=["p2c", "c2p"], share_att_key=True,
        norm_rel_ebd="layer_norm", position_biased_input=False, type_vocab_size=0, pad_token_id=0,
    )  # fmt: skip
    models.load_encoder = lambda *_: DebertaV2Model(config)
    models.load_generator = lambda *_: DebertaV2ForMaskedLM(config)
    return config


CASES: dict[str, tuple[str, dict[str, Callable[..., Steps]]]] = {
    "ELECTRA-small": ("plain", {"ours": ours, "bound": bound, "plain": plain, "txtai": txtai}),
    "DeBERTa, 6 layers of 256": ("disentangled", {"ours": ours, "bound": bound, "rtd_gdes": rtd_gdes}),
}


def times(case: str, given: argparse.Namespace) -> dict[str, float]:
    """Median seconds of a step of each contestant."""
    sharing, contestants = CASES[case]
    tokenizer = AutoTokenizer.from_pretrained(resolve_encoder(EMBEDDED))
    settings = PretrainSettings(
        from_scratch="small",
        embedding_sharing=sharing,
        block_length=given.length,
        batch_size=given.batch,
        max_steps=10_000,
        learning_rate=1e-4,
        dropout=True,  # as all the others do
    ).with_defaults()
    config = models.shape(settings, tokenizer, False) if case == "ELECTRA-small" else deberta(settings, tokenizer)
    running = {}
    for name, contestant in contestants.items():
        torch.manual_seed(0)
        players = prepare(make_accelerator(given.precision), settings, config, tokenizer)
        masker = MaskingCollator(tokenizer, given.length, settings.mask_ratio, settings.keep_ratio)
        batches = TokenBatches(Blocks(tokenizer, given.length), np.arange(100_000), masker, given.batch, 0)  # type: ignore[arg-type]
        running[name] = contestant(players, batches, settings)
        try:
            next(running[name])
        except ImportError:
            print(f"{name} is not installed: left out")
            del running[name]
    clock = time.perf_counter if given.device == "cuda" else time.process_time
    found: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(given.steps):
        for name, steps in running.items():
            began = clock()
            next(steps)
            if given.device == "cuda":
                torch.cuda.synchronize()
            found[name].append(clock() - began)
    return {name: statistics.median(each) for name, each in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("no", "bf16"), default="no")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    given = parser.parse_args()
    print(
        "| shape | contestant | seconds a step | tokens a second | time, ours = 1 |\n| --- | --- | ---: | ---: | ---: |"
    )
    for case in given.cases:
        found = times(case, given)
        for name, each in found.items():
            speed = given.batch * given.length / each
            print(f"| {case} | {name} | {each:.3f} | {speed:,.0f} | {each / found['ours']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
