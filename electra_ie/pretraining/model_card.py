"""The model card of a pretrained encoder: origin, method, size of the corpus, held-out scores. It quotes no text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from electra_ie.common.hashing import package_version
from electra_ie.config.pretrain import PretrainSettings

SCORE_DESCRIPTIONS = {
    "mlm_loss": "cross entropy of the masked tokens",
    "mlm_accuracy": "accuracy on the masked tokens",
    "replaced_token_detection_loss": "binary cross entropy of original against replaced",
    "precision": "precision of replaced tokens",
    "recall": "recall of replaced tokens",
    "replaced": "share of tokens that were replaced",
}
"""What the held-out scores of `pretraining.scoring.score` mean."""


def encoder_card(settings: PretrainSettings, summary: Mapping[str, Any]) -> str:
    """Return the card as Markdown. summary: the content of pretraining.json."""
    corpus = summary["corpus"]
    origin = f"new weights, shape {settings.from_scratch}" if settings.from_scratch else f"`{settings.start}`"
    method = {
        "electra": "replaced-token detection (ELECTRA; Clark et al., ICLR 2020, arXiv 2003.10555)",
        "adversarial": "replaced-token detection with a generator that is rewarded for fooling the discriminator "
        "(Clark et al., ICLR 2020, arXiv 2003.10555, appendix F)",
        "mlm": "masked language modeling (Devlin et al. 2019)",
    }[settings.objective]
    lines = [
        "# Encoder",
        "",
        f"Trained by electra_ie {package_version()} with {method}, from {origin}, seed {settings.seed}.",
        "",
        f"Corpus: {corpus['documents']:,} documents, {corpus['lines']:,} lines, {corpus['tokens']:,} tokens in "
        f"{corpus['blocks']:,} blocks of {settings.block_length} (content hash `{corpus['hash']}`). Trained on "
        f"{summary['tokens']:,} tokens ({summary['passes']} passes) in {summary['steps']:,} steps, "
        f"{summary['seconds']:,} s, {summary['device']}, {summary['processes']} process(es), precision "
        f"{summary['precision']}. All settings are in `run.yaml`; `electra-ie pretrain` with `--settings run.yaml` "
        "repeats the run.",
        "",
    ]
    if settings.interpolation is not None:
        lines += [
            f"The weights are interpolated: {1 - settings.interpolation:g} times those of the initial encoder plus "
            f"{settings.interpolation:g} times those of the trained one (Wortsman et al. 2022, arXiv 2109.01903).",
            "",
        ]
    if summary["held_out"]:
        lines += ["| on held-out text | |", "| --- | ---: |"]
        for name, value in summary["held_out"].items():
            lines.append(f"| {SCORE_DESCRIPTIONS[name]} | {'–' if value is None else f'{value:.3f}'} |")
        lines.append("")
    lines += ["## Use", "", "```", "electra-ie train TASK --encoder <this folder>", "```", ""]
    if settings.generator:
        lines += ["The generator is in `generator/`, a stock masked language model.", ""]
    return "\n".join(lines)
