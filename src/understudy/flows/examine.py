"""Everything that is found out about a version beyond its figures: where it is wrong, why, for whom, and what holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import polars as pl
from msgspec.structs import replace

from understudy.core.errors import UnderstudyError
from understudy.core.ports import Clock
from understudy.core.task import Task
from understudy.data.judgements import judgements
from understudy.data.split import Split
from understudy.evaluation.bias_gains import Scale
from understudy.evaluation.conflicts import Conflicts, find_conflicts
from understudy.evaluation.explanations import Explanations
from understudy.evaluation.fairness import fairness, promised_threshold
from understudy.evaluation.fairness_found import Fairness, FairnessPlan
from understudy.evaluation.findings import Findings
from understudy.evaluation.human_level import HumanLevel, human_level
from understudy.evaluation.label_numbers import NumberErrors, find_number_errors
from understudy.evaluation.label_quality import LabelErrors, find_label_errors
from understudy.evaluation.part import TestPart
from understudy.evaluation.prediction_bias import PredictionBias, prediction_bias
from understudy.evaluation.report import CoveragePoint
from understudy.evaluation.robustness import robustness
from understudy.evaluation.robustness_found import Robustness
from understudy.evaluation.slice_actions import rows_in
from understudy.evaluation.slices import SlicePlan, Slices, find_slices
from understudy.evaluation.stability import FoldSpread, Stability, fold_spread
from understudy.evaluation.stages import Stages
from understudy.flows.dataset import Dataset, read_moments
from understudy.flows.diagnose import diagnose
from understudy.flows.explain import explain
from understudy.flows.stages import take_apart
from understudy.flows.version import Version
from understudy.monitoring.strangeness import strangeness

Made = TypeVar("Made")
Watch = Callable[[str], None]

FAR = "adopted-endpoint"
ASKING = ("robustness", "explanations")
"""What asks the model tens of thousands of times."""


class Examiner:
    """Looks at one version on the rows that it was made from.

    Parameters
    ----------
    version : Version
    task : Task
    data : Dataset
    parts : Split
    part : TestPart
        What happened on the test part.
    files : mapping of str to bytes
        What the version is opened from.
    oof : pl.DataFrame, optional
        The out-of-fold predictions of its search.
    seed : int
    """

    def __init__(
        self,
        version: Version,
        task: Task,
        data: Dataset,
        parts: Split,
        part: TestPart,
        *,
        files: Mapping[str, bytes],
        oof: pl.DataFrame | None,
        seed: int,
    ) -> None:
        self.version, self.task, self.data, self.parts, self.part = version, task, data, parts, part
        self.files, self.seed = files, seed
        self.oof = None if oof is None or oof.drop_nans().is_empty() else oof.drop_nans()
        self.frame = data.frame[parts.test]
        self.inputs = tuple(column.name for column in data.contract.used)
        self.prose = [column.name for column in data.contract.used if column.kind == "text"]
        self.learned = np.concatenate([parts.train, parts.validation])

    def examine(
        self,
        coverage: tuple[CoveragePoint, ...],
        *,
        clock: Clock,
        seconds: float = 0.0,
        full: bool = True,
        tell: Watch = lambda _: None,
    ) -> Findings:
        """Look at everything; what cannot be looked at is left out, with the reason.

        Parameters
        ----------
        coverage : tuple of CoveragePoint
            How often it is wrong by how much it answers.
        clock : Clock
        seconds : float
            How long models may be fitted again, to find out what holds it back; 0 for not at all.
        full : bool
            Whether to look also at what no check rests on.
        tell : callable
            Is told what is under way, in a few words.
        """
        left: dict[str, str] = {}

        far = self.version.manifest.recipe == FAR

        def found(chapter: str, what: Callable[[], Made | None]) -> Made | None:
            if far and chapter in ASKING:
                left[chapter] = "The model is asked over the network; so many questions would be a burden to it."
                return None
            tell(chapter)
            try:
                return what()
            except Exception as error:  # a chapter less is no reason to lose a model that is trained
                left[chapter] = str(error) if isinstance(error, (UnderstudyError, ValueError)) else repr(error)
                return None

        needed = Findings(
            bias=found("bias", self.bias),
            fairness=found("fairness", lambda: self.groups(coverage)),
            robustness=found("robustness", self.shaken),
            stability=Stability(spread=self.folds()),
            left_out=left,
        )
        if not full:
            return needed
        slices = found("slices", self.slices)
        conflicts = found("labels", self.conflicts)
        human = found("labels", self.people)
        return replace(
            needed,
            slices=slices,
            learned={} if slices is None else rows_in(slices, self.data.frame[self.learned]),
            errors=found("labels", self.label_errors),
            numbers=found("labels", self.number_errors),
            conflicts=conflicts,
            human=human,
            stages=found("stages", self.stages),
            explanations=found("explanations", self.explanations),
            diagnosis=found(
                "diagnosis",
                lambda: diagnose(
                    self.version.manifest,
                    self.task,
                    self.data,
                    self.parts,
                    clock=clock,
                    seconds=seconds,
                    seed=self.seed,
                    tell=tell,
                    human=None if human is None else human.person,
                    irreducible=None if conflicts is None else conflicts.error,
                ),
            ),
        )

    def slices(self) -> Slices:
        """Sub-populations that are decided worse."""
        plan = SlicePlan(seed=self.seed)
        return find_slices(self.frame, 1 - self.part.right, plan, prose=self.prose, groups=self.part.groups)

    @property
    def scale(self) -> Scale:
        """What is predicted: of two answers the second one's share, of more how sure the answer is, or a number."""
        if not self.data.answers.labels:
            return "number"
        return "share" if len(self.data.answers.labels) == 2 else "sureness"

    def bias(self) -> PredictionBias:
        """Where predictions are off on average."""
        part, y = self.part, self.part.y.astype(np.float64)
        predicted, scale = part.scores[:, -1], self.scale
        train_outcome: np.ndarray | None = self.data.answers.y[self.parts.train].astype(np.float64)
        if scale == "sureness":
            predicted, y, train_outcome = part.confidence, part.right, None
        return prediction_bias(
            self.frame.select(self.inputs),
            predicted,
            y,
            scale=scale,
            groups=part.groups,
            time=self.times(),
            train=self.data.frame[self.parts.train].select(self.inputs),
            train_outcome=train_outcome,
            tolerance=part.tolerance,
            prose=self.prose,
        )

    def times(self) -> pl.Series | None:
        """When the cases of the test part happened, where that is a time and none of the inputs."""
        when = self.task.decision.when
        return None if when in self.inputs else read_moments(self.data.source[self.parts.test], when)

    def label_errors(self) -> LabelErrors | None:
        """Suspected labels of classes among the rows that were learned from."""
        if self.oof is None or not self.data.answers.labels:
            return None
        truth, said = self.oof["truth"].to_numpy(), self.said_out_of_fold(self.oof)
        return find_label_errors(truth, said, self.data.answers.labels, groups=self.together(self.oof))

    def number_errors(self) -> NumberErrors | None:
        """Suspected numbers among the rows that were learned from."""
        if self.oof is None or self.data.answers.labels:
            return None
        return find_number_errors(self.oof["truth"].to_numpy(), self.said_out_of_fold(self.oof)[:, 0])

    def said_out_of_fold(self, oof: pl.DataFrame) -> np.ndarray:
        """The scores of models that had not seen the row, not calibrated, of shape (n, k) or (n, 1)."""
        return oof.select(pl.exclude("row", "truth", "fold")).to_numpy()

    def together(self, oof: pl.DataFrame) -> np.ndarray | None:
        """Which of these rows are not independent."""
        together = self.data.together
        return None if together is None else together[oof["row"].to_numpy()]

    def stages(self) -> Stages | None:
        """How much of the error each stage owns that the task names."""
        return take_apart(self.version, self.files, self.task, self.data, self.parts.test, seed=self.seed)

    def explanations(self) -> Explanations:
        """What it rests on."""
        return explain(self.version, self.task, self.data, self.parts, self.seed, files=self.files)

    def conflicts(self) -> Conflicts:
        """Equal inputs with different answers, in all rows."""
        decision, answers = self.task.decision, self.data.answers
        return find_conflicts(
            self.data.frame.select(self.inputs), answers.y, answers.labels, tolerance=decision.tolerance
        )

    def people(self) -> HumanLevel | None:
        """How often people are wrong, where the task names what they decided."""
        today, answers = self.task.today, self.data.answers
        if today.column is None and not today.columns:
            return None
        told = judgements(self.data.source[self.parts.test], today, self.task.decision.kind)
        said = told.to_numpy().astype(np.float64) if not answers.labels else as_classes(told, answers.labels)
        scores = self.part.scores
        model = (scores.argmax(axis=1) if answers.labels else scores[:, 0]).astype(np.float64)
        outcome = self.part.y.astype(np.float64) if self.task.truth.source == "outcome" else None
        return human_level(said, outcome=outcome, model=model, tolerance=self.part.tolerance)

    def groups(self, coverage: tuple[CoveragePoint, ...]) -> Fairness | None:
        """Errors and rates of the groups in `[task] groups`."""
        frame, source = self.data.frame, self.data.source
        columns = [name for name in self.task.decision.groups if name in frame.columns or name in source.columns]
        values = [(frame if name in frame.columns else source)[name][self.parts.test] for name in columns]
        limit = self.task.checks.most_gap
        plan = FairnessPlan(threshold=promised_threshold(coverage, self.task.autonomy.max_error))
        if limit is not None:
            plan = replace(plan, limit=limit, stated=True)
        return fairness(pl.DataFrame(values), self.part, columns, plan)

    def shaken(self) -> Robustness:
        """What becomes of its answers when inputs are not clean."""
        limit, reference = self.task.autonomy.strange_limit, self.version.reference
        return robustness(
            self.frame,
            self.part.y,
            self.version.scorer.frame,
            self.version.contract,
            confidence=self.part.confidence,
            tolerance=self.part.tolerance,
            strange=lambda rows: strangeness(reference, rows) > limit,
            seed=self.seed,
        )

    def folds(self) -> FoldSpread | None:
        """Whether the folds of the search differ beyond chance; None where there was no search."""
        if self.oof is None:
            return None
        truth, said = self.oof["truth"].to_numpy(), self.said_out_of_fold(self.oof)
        if self.data.answers.labels:
            loss = said.argmax(axis=1) != truth
        else:
            loss = np.abs(said[:, 0] - truth) > (self.part.tolerance or 0.0)
        return fold_spread(loss.astype(np.float64), self.oof["fold"].to_numpy(), self.together(self.oof))


def as_classes(told: pl.DataFrame, labels: tuple[str, ...]) -> np.ndarray:
    """Decisions in words as class indices, shape (n, people); NaN where nothing was said, or none of the answers."""
    known = dict(zip(labels, range(len(labels)), strict=True))
    columns = [
        told[name].replace_strict(known, default=None, return_dtype=pl.Float64).fill_null(np.nan).to_numpy()
        for name in told.columns
    ]
    return np.stack(columns, axis=1)
