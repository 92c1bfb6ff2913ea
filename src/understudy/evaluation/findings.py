"""What was found out about a version beyond its figures."""

from __future__ import annotations

import msgspec

from understudy.core.evidence import Evidence
from understudy.evaluation.conflicts import Conflicts
from understudy.evaluation.diagnosis import Diagnosis
from understudy.evaluation.explanations import Explanations
from understudy.evaluation.fairness_found import Fairness
from understudy.evaluation.human_level import HumanLevel
from understudy.evaluation.label_numbers import NumberErrors
from understudy.evaluation.label_quality import LabelErrors
from understudy.evaluation.prediction_bias import PredictionBias
from understudy.evaluation.robustness_found import Robustness
from understudy.evaluation.slices import Slices
from understudy.evaluation.stability import Stability
from understudy.evaluation.stages import Stages


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a version; None wherever nothing could be looked at.

    Attributes
    ----------
    slices : Slices, optional
        Sub-populations that are decided worse.
    learned : dict of int
        By a slice's condition, how many rows of it the model learned from.
    bias : PredictionBias, optional
    errors : LabelErrors, optional
        Suspected labels of classes.
    numbers : NumberErrors, optional
        Suspected labels that are numbers.
    conflicts : Conflicts, optional
        Equal inputs with different answers.
    human : HumanLevel, optional
    diagnosis : Diagnosis, optional
    stages : Stages, optional
    explanations : Explanations, optional
    fairness : Fairness, optional
    robustness : Robustness, optional
    stability : Stability, optional
    left_out : dict of str
        What could not be looked at, by chapter, and why.
    """

    slices: Slices | None = None
    learned: dict[str, int] = {}
    bias: PredictionBias | None = None
    errors: LabelErrors | None = None
    numbers: NumberErrors | None = None
    conflicts: Conflicts | None = None
    human: HumanLevel | None = None
    diagnosis: Diagnosis | None = None
    stages: Stages | None = None
    explanations: Explanations | None = None
    fairness: Fairness | None = None
    robustness: Robustness | None = None
    stability: Stability | None = None
    left_out: dict[str, str] = {}

    @property
    def people(self) -> Evidence | None:
        """How often one person is wrong, where that is known."""
        return None if self.human is None else self.human.person
