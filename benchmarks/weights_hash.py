"""Print hashes of the weights of short runs with fixed settings, to show that a refactoring changes no behavior.

    python benchmarks/weights_hash.py

Runs `supervised`, `adversarial` and `latent` on a tiny BERT and on a task of all three kinds of field; `supervised` and
`adversarial` on all-MiniLM-L6-v2 and the shipped task `transaction_risk`; an mlm and an electra pretraining, and the
same mlm pretraining in two processes with two accumulated batches a step. A hash is the SHA-256 over the names, shapes
and bytes of all tensors, so that it does not depend on the metadata of the files. Hashes compare on one machine only.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import tiny  # noqa: E402
from processes import run_two  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from electra_ie import pretrain, train  # noqa: E402

PRETRAINING = {"max_steps": 6, "batch_size": 4, "block_length": 32, "num_evaluations": 2}


def weights_hash(run: Path) -> str:
    """Return the hash of all weights in a folder, and of their names and shapes."""
    digest = hashlib.sha256()
    for file in sorted(run.rglob("*.safetensors")):
        digest.update(str(file.relative_to(run)).encode())
        for name, tensor in sorted(load_file(file).items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["ELECTRA_IE_CACHE"] = str(folder / "cache")
        encoder = tiny.build("bert", folder / "encoder")
        task = tiny.write_task(folder / "three_kinds")
        hashes = {}
        for preset in ("supervised", "adversarial", "latent"):
            run = train(
                str(task), folder / preset, **tiny.settings(encoder, preset, max_steps=30, label_budget=24)
            ).path
            hashes[f"{preset}, tiny BERT"] = weights_hash(run)
        for preset in ("supervised", "adversarial"):
            run = train(
                "transaction_risk", folder / f"{preset}-minilm", preset=preset, label_budget=40, max_steps=12
            ).path
            hashes[f"{preset}, MiniLM"] = weights_hash(run)
        texts = folder / "texts.txt"
        texts.write_text("\n\n".join(document.text for document in tiny.documents(400)), encoding="utf-8")
        for objective in ("mlm", "electra"):
            run = pretrain([texts], folder / objective, encoder=encoder, objective=objective, **PRETRAINING)
            hashes[f"{objective} pretraining"] = weights_hash(run)
        settings = {**PRETRAINING, "gradient_accumulation_steps": 2, "objective": "mlm"}
        overrides = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        command = ["-m", "electra_ie", "pretrain", str(texts), "--encoder", encoder, "--output", str(folder / "two")]
        run_two(lambda rank: [*command, *overrides])
        hashes["mlm pretraining, 2 processes, accumulation 2"] = weights_hash(folder / "two")
        for run_name, value in hashes.items():
            print(f"{run_name:48} {value}")


if __name__ == "__main__":
    main()
