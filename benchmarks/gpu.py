"""Check training, pretraining and extraction on a GPU in bf16 against the CPU in float32, and measure their speed.

    python benchmarks/gpu.py --output gpu.json

It takes less than nine minutes on one GPU and needs nothing downloaded: the encoder has the size of BERT-base, random
weights, and a vocabulary trained on the shipped task `transaction_risk`, which is also the data. It trains
`supervised`, `adversarial` and `latent`, pretrains by `electra` and `mlm`, resumes a run, extracts, and writes speed,
model FLOPs utilization (MFU), memory and hardware as JSON. Exit code 1 if a check fails.

The losses of the first steps must agree with those of a process on the CPU: weights, batches and noise are drawn on the
CPU in both, and the encoder has no dropout. MFU counts 6 FLOPs per weight and token of a training step (Kaplan et al.
2020, arXiv 2001.08361), word embeddings excluded, over the peak of the GPU's data sheet for dense bf16; it is given for
pretraining by mlm, whose blocks are full and which trains one model.

With --smoke it does the same at the smallest size, in less than a minute and also without a GPU (bf16 on the CPU). That
shows that the script works; its speeds mean nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import electra_ie
from electra_ie.data.task import Task
from electra_ie.runs.layout import read_log
from electra_ie.training.callbacks import Callback

TASK = "transaction_risk"
RUNS = ("supervised", "latent", "adversarial", "mlm", "electra")
COMPARED = 4
"""Number of steps whose losses are compared; for `adversarial`, steps after its teacher was trained."""
TOLERANCE = {"adversarial": 0.15, "default": 0.05}
"""Relative difference allowed between a loss in bf16 and in float32: a bf16 number has 8 bits of precision. The teacher
of `adversarial` trains on its own device first, so that its answers differ a little more."""
TRAINING: dict[str, Any] = {
    "label_budget": 200, "max_steps": 30, "batch_size": 16, "learning_rate": 1e-5, "num_evaluations": 1,
    "max_dev_documents": 100,
}  # fmt: skip
PRETRAINING: dict[str, Any] = {
    "max_steps": 30, "batch_size": 64, "block_length": 128, "learning_rate": 1e-5, "num_evaluations": 1,
}  # fmt: skip
ENCODER: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""Settings of BertConfig that differ from BERT-base."""
SMOKE: tuple[dict[str, Any], ...] = (
    {"label_budget": 20, "max_steps": 6, "batch_size": 4, "max_dev_documents": 10, "window": 64},
    {"max_steps": 6, "batch_size": 4, "block_length": 32},
    {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64},
)
"""What --smoke changes in `TRAINING`, `PRETRAINING` and `ENCODER`."""
SMOKE_DOCUMENTS = 60
"""Documents that --smoke reads for pretraining and extraction."""
PEAK = {
    "H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L40": 181e12, "L4": 121e12, "A10G": 70e12,
    "A10": 125e12, "T4": 65e12,
}  # fmt: skip
"""Peak FLOPs per second of dense matrix products in bf16 (fp16 for the T4), by a part of the device's name. A name that
is a part of another comes after it."""


class Stopped(Exception):
    """A run was ended on purpose."""


class StopAfterCheckpoint(Callback):
    """Ends a run after its first checkpoint, from which it can be resumed."""

    def on_save(self, state: Any, path: Path) -> None:
        raise Stopped


class FirstLosses(Callback):
    """Keeps the losses of the first steps; with `end`, ends the run after them."""

    def __init__(self, end: bool) -> None:
        self.end = end
        self.losses: list[dict[str, float]] = []

    def on_step(self, state: Any, step: Any) -> None:
        if len(self.losses) < COMPARED:
            self.losses.append(dict(step.losses))
        if self.end and len(self.losses) == COMPARED:
            raise Stopped


def build_encoder(folder: Path, texts: list[str]) -> str:
    """Write an encoder with random weights, of BERT-base size by default, and a WordPiece vocabulary of these texts."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=8_000, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=512,
    )  # fmt: skip
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(fast), **ENCODER)).save_pretrained(folder)
    fast.save_pretrained(folder)
    return str(folder)


def run(name: str, encoder: str, texts: Path, output: Path, precision: str, callbacks: list[Callback]) -> Path:
    """Train a preset of `train`, or pretrain by an objective."""
    if name in ("supervised", "adversarial", "latent"):
        settings = {**TRAINING, "encoder": encoder, "preset": name, "precision": precision}
        return electra_ie.train(TASK, output, callbacks=callbacks, **settings).path
    settings = {**PRETRAINING, "encoder": encoder, "objective": name, "precision": precision}
    return electra_ie.pretrain([texts], output, callbacks=callbacks, **settings)


def reference(encoder: str, texts: Path, folder: Path) -> None:
    """Write the losses of the first steps on the CPU in float32. Run in a process that sees no GPU."""
    for name in RUNS:
        first = FirstLosses(end=True)
        with contextlib.suppress(Stopped):
            run(name, encoder, texts, folder / f"cpu-{name}", "no", [first])
        (folder / f"cpu-{name}.json").write_text(json.dumps(first.losses), encoding="utf-8")


def largest_difference(on_gpu: list[dict[str, float]], on_cpu: list[dict[str, float]]) -> float:
    """Return the largest relative difference between two lists of losses; infinite for other shapes and for NaN."""
    if not on_gpu or [row.keys() for row in on_gpu] != [row.keys() for row in on_cpu]:
        return math.inf
    pairs = [(row[name], other[name]) for row, other in zip(on_gpu, on_cpu, strict=True) for name in row]
    differences = [abs(one - other) / max(abs(other), 1e-3) for one, other in pairs]
    return math.inf if any(map(math.isnan, differences)) else max(differences)


def measure(name: str, encoder: str, texts: Path, folder: Path) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """Run on the GPU in bf16; return seconds, speed and memory, and the losses of the first steps."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    first, began = FirstLosses(end=False), time.monotonic()
    output = run(name, encoder, texts, folder / name, "bf16", [first])
    rows = [row for row in read_log(output) if "discriminator" in row and "held_out" not in row]
    warm = rows[len(rows) // 2 :]  # the first steps compile kernels
    seconds = (warm[-1]["seconds"] - warm[0]["seconds"]) / (len(warm) - 1)
    result: dict[str, Any] = {
        "seconds": round(time.monotonic() - began, 1),
        "seconds_per_step": round(seconds, 4),
    }
    if torch.cuda.is_available():
        result["peak_memory_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    if "tokens" in warm[-1]:
        speed = (warm[-1]["tokens"] - warm[0]["tokens"]) / (warm[-1]["seconds"] - warm[0]["seconds"])
        result["tokens_per_second"] = round(speed)
        if name == "mlm" and torch.cuda.is_available():
            result["mfu"] = mfu(speed)
    else:
        result["labeled_windows_per_second"] = round(TRAINING["batch_size"] / seconds, 1)
    return result, first.losses


def mfu(tokens_per_second: float) -> float | None:
    """Return the model FLOPs utilization of training the encoder; None for a device whose peak is not known."""
    config = BertConfig(**ENCODER)
    weights = config.num_hidden_layers * (4 * config.hidden_size**2 + 2 * config.hidden_size * config.intermediate_size)
    peak = next((peak for part, peak in PEAK.items() if part in torch.cuda.get_device_name()), None)
    return None if peak is None else round(6 * weights * tokens_per_second / peak, 4)


def resumed(encoder: str, texts: Path, folder: Path) -> bool:
    """Return whether a run that is ended after its first checkpoint resumes to a complete run."""
    with contextlib.suppress(Stopped):
        run("supervised", encoder, texts, folder / "resumed", "bf16", [StopAfterCheckpoint()])
    finished = electra_ie.train(TASK, folder / "resumed", resume=True).path
    return (finished / "README.md").is_file()


def extracted(model: Path, folder: Path, most: int | None) -> dict[str, Any]:
    """Extract from the test texts, `most` at most; return documents per second and findings."""
    texts = folder / "inbox.jsonl"
    documents = Task.load(TASK).read("test")[:most]
    texts.write_text("".join(json.dumps({"text": document.text}) + "\n" for document in documents), encoding="utf-8")
    began = time.monotonic()
    counts = electra_ie.extract(model, [texts], folder / "findings.jsonl")
    seconds = time.monotonic() - began
    return {"documents_per_second": round(len(documents) / seconds, 1), "findings": counts["findings"]}


def failures(result: dict[str, Any], losses: dict[str, list[dict[str, float]]], folder: Path) -> list[str]:
    """Compare the losses with those of the reference in `folder`, add the differences to `result`; name what fails."""
    failed = [] if result["resumed"] else ["resume"]
    for name in RUNS:
        expected = json.loads((folder / f"cpu-{name}.json").read_text("utf-8"))
        difference = largest_difference(losses[name], expected)
        result[name]["largest_difference"] = round(difference, 4)
        if difference > TOLERANCE.get(name, TOLERANCE["default"]):
            failed.append(f"losses of {name}")
    return failed


def check(folder: Path, smoke: bool) -> dict[str, Any]:
    """Run all checks and measurements in an empty folder; return the numbers, and under `failed` what fails.

    The reference on the CPU runs at the same time, in a process of its own.
    """
    os.environ["ELECTRA_IE_CACHE"] = str(folder / "cache")
    most = SMOKE_DOCUMENTS if smoke else None
    documents = [document.text for document in Task.load(TASK).read("train")][:most]
    texts = folder / "texts.txt"
    texts.write_text("\n\n".join(documents), encoding="utf-8")
    encoder = build_encoder(folder / "encoder", documents)
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    command = [sys.executable, __file__, *(["--smoke"] if smoke else [])]
    command += ["--reference", encoder, str(texts), str(folder)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "ELECTRA_IE_CACHE": str(folder / "cpu-cache")}
    messages, losses = folder / "cpu.log", {}
    with messages.open("wb") as log, subprocess.Popen(command, env=environment, stderr=log) as on_cpu:
        try:
            for name in RUNS:
                result[name], losses[name] = measure(name, encoder, texts, folder)
            result["resumed"] = resumed(encoder, texts, folder)
            result["extraction"] = extracted(folder / "supervised", folder, most)
            on_cpu.wait()
        finally:
            on_cpu.kill()  # else an error here would be shown only once the reference has ended
    if on_cpu.returncode:
        print(messages.read_text("utf-8", errors="replace"), file=sys.stderr)
        result["failed"] = ["the reference on the CPU"]
    else:
        result["failed"] = failures(result, losses, folder)
    return result


def main() -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("gpu.json"))
    parser.add_argument("--smoke", action="store_true", help="the smallest size, also without a GPU")
    parser.add_argument("--reference", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.smoke:
        for sizes, smallest in zip((TRAINING, PRETRAINING, ENCODER), SMOKE, strict=True):
            sizes.update(smallest)
    if arguments.reference:
        encoder, texts, folder = arguments.reference
        reference(encoder, Path(texts), Path(folder))
        return 0
    if not torch.cuda.is_available() and not arguments.smoke:
        print("There is no GPU that torch can use. Try the script without one by --smoke.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        result = check(Path(folder), arguments.smoke)
    arguments.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
