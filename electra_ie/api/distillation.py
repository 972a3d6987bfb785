"""The function that distills a finished run: `distill`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electra_ie.api.training import TrainResult, result_of
from electra_ie.common.arguments import check_types
from electra_ie.config.distill import Target

if TYPE_CHECKING:  # this loads torch
    from electra_ie.training.callbacks import Callback


@check_types
def distill(  # noqa: PLR0913 - the options of a public function, all but two by keyword
    run: str | os.PathLike[str],
    /,
    output: str | os.PathLike[str] | None = None,
    *,
    layers: int | None = None,
    to: str | None = None,
    vectors: str | None = None,
    unlabeled: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    data: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    **kwargs: Any,
) -> TrainResult:
    """Teach a smaller and faster model the answers of a finished run, and save it as a run.

    The student reads the run's labeled and unlabeled documents, and learns the labels and the probabilities that the
    run gives for all texts. The thresholds of flags are fitted again.

    Args:
        run: A folder, or `ORG/NAME[@REVISION]` on the Hub.
        output: The folder of the student's run (default: that of the run with `-3-layers` or `-static` added).
        layers: Keep so many layers of the encoder, evenly chosen, with the first and the last.
        to: `static` for token vectors under a light window network instead. Stock transformers alone cannot load such
            a model: `import electra_ie` registers its classes.
        vectors: For a static model, `run` (default: the mean states of the tokens in the encoder of the run) or
            `fasttext` (trained on the text by Gensim, of the extra `gensim`).
        unlabeled: Additional unlabeled text: text files, folders or .jsonl files.
        data: The folder of the task's files, instead of the one that the run was trained from.
        overrides: Settings of the training as `key=value`, as for `--set`.
        resume: Resume the distillation in `output`.
        callbacks: Called during training, after the built-in ones.
        kwargs: Settings of the training by name: `max_steps=1000`.

    Returns:
        The folder of the student's run, its scores, and the student.

    Raises:
        UserError: The input is invalid. Nothing has been written.
    """
    from electra_ie.distillation.runner import distill_run
    from electra_ie.training.callbacks import check_callbacks

    callbacks = check_callbacks(callbacks)
    target = Target.of(layers, to, vectors)
    paths = [unlabeled] if isinstance(unlabeled, str | os.PathLike) else unlabeled
    folder = Path(output or f"{os.fspath(run).partition('@')[0].rstrip('/')}-{target.name}")
    texts, files = [os.fspath(path) for path in paths], os.fspath(data) if data is not None else None
    distill_run(run, target, folder, texts, files, overrides, resume=resume, callbacks=callbacks, given=kwargs)
    return result_of(folder)
