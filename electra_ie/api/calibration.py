"""The functions on thresholds, `calibrate` and `drift`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from electra_ie.common.arguments import check_types
from electra_ie.common.errors import UserError, raise_error
from electra_ie.common.files import CALIBRATION
from electra_ie.common.hub_client import parse_hub_name
from electra_ie.common.progress import progress

if TYPE_CHECKING:
    from electra_ie.api.runs import Paths
    from electra_ie.calibration.drift import Comparison
    from electra_ie.calibration.promises import Outcome
    from electra_ie.data.in_memory import InMemory


@dataclass(frozen=True)
class CalibrationResult:
    """What became of goals.

    Attributes:
        outcomes: A promise or a price for each goal.
    """

    outcomes: Sequence[Outcome]

    @property
    def met(self) -> bool:
        """Whether all goals are met."""
        return all(outcome.promise for outcome in self.outcomes)

    @property
    def assumptions(self) -> list[str]:
        """What the promises assume, as sentences."""
        texts = [text for each in self.outcomes if each.promise for text in each.promise.assumptions]
        return list(dict.fromkeys(texts))


@check_types
def calibrate(
    run: str | os.PathLike[str],
    goals: Sequence[str],
    *,
    confidence: float = 0.9,
    data: str | os.PathLike[str] | InMemory | None = None,
    reviewed: str | os.PathLike[str] | None = None,
    options: Sequence[str] = (),
) -> CalibrationResult:
    """Set thresholds for labels of a run, so that goals hold: `precision=0.95:AMOUNT`, `recall=0.9:FIELD.LABEL`.

    The thresholds of the goals that are met are written in the run, in place of earlier ones, with what they assume.
    For a goal that is not met, the result has the number of further documents that would allow it.

    Args:
        run: The folder of a run.
        goals: The goals.
        confidence: The confidence of goals for the precision, between 0 and 1. The recall is promised in the mean.
        data: The folder of the task's files, of which dev is read, instead of the one that the run was trained from; or
            the records of dev in memory, as for `train`.
        reviewed: Labeled documents in any format, or a review queue of `extract` with decisions, in place of dev.
        options: Options of the format of `reviewed`, as texts `key=value`.

    Raises:
        UserError: A goal is malformed or names no label, documents cannot be read, or it is an exported model or a run
            on the Hub. Nothing is written.
    """
    from electra_ie.calibration.goals import parse_goals
    from electra_ie.data.in_memory import with_split
    from electra_ie.data.splits import DEV
    from electra_ie.runs.layout import announce_data_folder, is_exported, load_task

    folder = Path(run)
    if parse_hub_name(run):
        remedy = "Download it into a folder first: hf download ... --local-dir."
        raise UserError("the thresholds of a run on the Hub are not set.", file=os.fspath(run), remedy=remedy)
    if is_exported(folder):
        remedy = "Calibrate the run, and export it again."
        raise UserError("the thresholds of an exported model are those of its run.", file=folder, remedy=remedy)
    if data is not None and reviewed is not None:
        raise UserError("goals are measured on dev or on reviewed documents.", remedy="Give --data or --reviewed.")
    if data is None or isinstance(data, str | os.PathLike):
        task = load_task(folder, data)
    else:
        task = with_split(load_task(folder), DEV, data)
    wanted = parse_goals(goals, task.all_fields)
    if not 0 < confidence < 1:
        raise UserError(f"the confidence is {confidence:g}.", remedy="It must be above 0 and below 1, such as 0.9.")
    from electra_ie.inference.extractor import Extractor
    from electra_ie.inference.goal_setting import labeled_documents, set_goals

    if data is None and reviewed is None:
        announce_data_folder(folder, task)
    labeled = labeled_documents(folder, task, wanted, None if reviewed is None else Path(reviewed), options)
    extractor = Extractor.from_pretrained(folder, anchored=False)
    return CalibrationResult(set_goals(folder, extractor, wanted, labeled, confidence))


@dataclass(frozen=True)
class DriftResult:
    """How new texts compare with those of dev.

    Attributes:
        documents: The number of new texts.
        comparisons: What was compared, for each field.
        goals: The number of goals that are promised for the run.
    """

    documents: int
    comparisons: Sequence[Comparison]
    goals: int

    @property
    def lapsed(self) -> list[Comparison]:
        """The comparisons that differ by more than chance: what was promised, if anything, holds no longer."""
        return [comparison for comparison in self.comparisons if comparison.differs]


@check_types
def drift(
    run: str | os.PathLike[str],
    paths: Paths,
    *,
    text: str | None = None,
    id: str | None = None,
) -> DriftResult:
    """Compare what a run finds in new texts with what it found in dev, and say whether its promises still hold.

    Args:
        run: A folder of a run or of an exported model, or `ORG/NAME[@REVISION]` on the Hub.
        paths: Texts, as for `extract`.
        text: The key or column of the text (default: as in the run's task).
        id: The key or column of the id (default: as in the run's task).

    Raises:
        UserError: The run has no scores of dev, an input cannot be read, all texts are blank, or scipy is not
            installed, which an exported model does not need otherwise.
    """
    if find_spec("scipy") is None:
        raise UserError("drift needs scipy, which is not installed.", remedy="Install it with: pip install scipy.")
    from electra_ie.calibration.drift import compare
    from electra_ie.inference.jobs.inputs import Inbox
    from electra_ie.inference.loading import load_extractor
    from electra_ie.runs.download import run_folder
    from electra_ie.runs.layout import load_task

    folder = run_folder(run)
    inbox = Inbox([paths] if isinstance(paths, str | os.PathLike) else paths, load_task(folder), text, id)
    extractor = load_extractor(folder)
    calibration = extractor.calibration
    if calibration is None or not calibration.reference:
        message = f"the run has no scores of dev to compare with (no {CALIBRATION}, or no labeled documents of dev)."
        raise UserError(message, file=folder, remedy="Train it again, with a split dev.")
    found: dict[str, list[list[tuple[str, float]]]] = {name: [] for name in calibration.reference}
    number = with_text = 0
    with progress(None, "reading", unit="documents") as report:
        for number, result in enumerate(extractor.read(inbox.read(raise_error)), start=1):
            for name, documents in found.items():
                own = (finding for finding in result.findings if finding.field == name)
                documents.append([(finding.label, finding.score) for finding in own])
            with_text += bool(result.document.text.strip())
            report(number)
    if not with_text:
        message = f"all {number:,} texts are blank." if number else "there is no text to compare."
        raise UserError(message, remedy="Give files or folders of new texts.")
    compared = compare(calibration.reference, found, calibration.thresholds)
    return DriftResult(number, compared, len(calibration.promises))
