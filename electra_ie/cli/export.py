"""The command `export`."""

from __future__ import annotations

from typing import Annotated

import typer

from electra_ie.cli.options import Run
from electra_ie.common.errors import UserError


def export(
    run: Run,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FOLDER", help="New folder of the exported model.", show_default=False),
    ],
    to: Annotated[str, typer.Option(metavar="FORM", help="Form of the model: onnx.")] = "onnx",
    bits: Annotated[
        int, typer.Option(metavar="N", help="Bits of a weight: 32, or 8 for a smaller file and some other findings.")
    ] = 32,
    texts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Text file, folder or .jsonl to compare the exported model with the run on [default: unlabeled texts "
            "of the run's task]. Can be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Export a run to ONNX, so that extract runs it without torch.

    The exported model is compared with the run on 200 texts. In fp32 it must find the same, with logits and scores that
    differ by at most 1e-4. With 8 bits, the F1 that it loses on dev is printed for each label.

    It keeps the goals of the run (calibrate); with 8 bits they are measured again on dev.
    """
    from electra_ie.common.logs import notice
    from electra_ie.export.exporter import export_run

    if to != "onnx":
        raise UserError(f'--to is "{to}".', remedy="Give onnx.")
    done = export_run(run, output, bits=bits, texts=texts or ())
    compared = done.comparison
    notice(
        f"compared on {compared.texts} texts: logits differ by at most {compared.largest:.1e}; "
        f"{compared.other_findings} have other findings, {compared.other_scores} only another score, "
        f"{compared.other_decisions} have a finding on the other side of a threshold"
    )
    for field, lost in done.lost.items():
        for label, value in lost.items():
            notice(f"F1 lost on dev: {100 * value:+.1f} points for {field} {label}")
    notice(f"exported model of {done.megabytes:.0f} MB saved in {done.path}; electra-ie extract {done.path} PATH...")
