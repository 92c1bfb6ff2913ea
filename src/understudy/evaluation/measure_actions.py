"""What could be done about how it answers: another threshold, answers by expected cost, predictions that are off."""

from __future__ import annotations

import math

import msgspec

from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action, Effort
from understudy.evaluation.measured import Costs, Measures
from understudy.evaluation.prediction_bias import Bucket, PredictionBias
from understudy.evaluation.thresholds import NEVER, PRESENT, Thresholds
from understudy.evaluation.words import with_bounds

PER = 1000
MOST_BIASES = 5
EFFORTS: dict[str, Effort] = {"unseen": "days", "rare": "days", "missing": "days", "period": "days"}


def measure_actions(
    found: Measures | None, labels: tuple[str, ...] = (), bias: PredictionBias | None = None
) -> tuple[Action, ...]:
    """What the measures and the biases speak for; a threshold only where it is shown to gain something.

    Parameters
    ----------
    found : Measures, optional
    labels : tuple of str
        The classes; empty for numbers.
    bias : PredictionBias, optional
    """
    made: tuple[Action, ...] = ()
    if found is not None and len(labels) == 2:
        made += threshold_actions(found.thresholds, labels[1])
    elif found is not None and found.costs is not None:
        made += cost_actions(found.costs)
    return made if bias is None else (*made, *bias_actions(bias))


def cost_actions(costs: Costs) -> tuple[Action, ...]:
    """Of several classes, answer what costs least to be expected, where that is shown to be cheaper.

    The gain is the saving over the mean price of a present mistake.
    """
    if costs.saving.lower <= 0:
        return ()
    return (
        Action(
            kind="change threshold",
            subject="answers by expected cost",
            what="Answer what costs least to be expected instead of what is most probable",
            why=f"A case then costs {costs.least_expected.estimate:.4g} instead of {costs.model.estimate:.4g} "
            f"(saving {with_bounds(costs.saving)}).",
            gain=scaled(costs.saving, 1 / costs.mean_price),
            share=costs.changed,
            effort="minutes",
            chapter="measures",
        ),
    )


def threshold_actions(found: Thresholds | None, yes: str) -> tuple[Action, ...]:
    """Change the threshold, where it is shown that this saves something.

    Where mistakes have prices, the gain is the saving over the mean price of a present mistake: the number of mistakes
    of today's kind that the saved money is worth.

    Parameters
    ----------
    found : Thresholds, optional
    yes : str
        The positive answer.
    """
    if found is None or not found.better or found.saving is None or found.fewer_wrong is None:
        return ()
    to = f"{found.optimum.estimate:.3g}"
    if found.optimum.estimate >= NEVER:
        what = f"Never answer {yes}, or find a model that tells more"
    else:
        what = f"Answer {yes} from a probability of {to} on instead of {PRESENT}"
    gain, why = found.saving, f"{found.changed:.1%} of the cases get another answer; "
    if found.priced:
        gain = scaled(found.saving, 1 / found.mean_price)
        why += (
            f"a case then costs {found.present.estimate - found.saving.estimate:.4g} instead of "
            f"{found.present.estimate:.4g} (saving {with_bounds(found.saving)}), and "
            f"{moved(found.fewer_wrong)}."
        )
    else:
        why += f"{moved(found.fewer_wrong)}."
    why += f" The best threshold lies between {found.optimum.lower:.3g} and {found.optimum.upper:.3g}."
    return (
        Action(
            kind="change threshold",
            subject=f"threshold of {yes}",
            what=what,
            why=why,
            gain=gain,
            share=found.changed,
            effort="minutes",
            chapter="measures",
        ),
    )


def moved(fewer: Evidence) -> str:
    """By how much wrong answers become fewer, or more."""
    word, sign = ("fewer", 1) if fewer.estimate >= 0 else ("more", -1)
    per = scaled(fewer, sign * PER)
    low, high = sorted((per.lower, per.upper))
    return f"of {PER:,} cases {per.estimate:.3g} ({low:.3g} to {high:.3g}) {word} are decided wrongly"


def scaled(found: Evidence, by: float) -> Evidence:
    """Evidence in another unit."""
    return msgspec.structs.replace(found, estimate=found.estimate * by, lower=found.lower * by, upper=found.upper * by)


def bias_actions(found: PredictionBias) -> tuple[Action, ...]:
    """One action for each biased bucket: mend what causes it where that is known, else correct the predictions.

    Where nothing is known of the cause and a correction would make no decision right, there is nothing to do. Of many
    without a cause those are named that would win most: they tend to be parts of one fault, as the hours of a night.
    """
    caused = [one for one in found.found if one.cause is not None]
    others = sorted((one for one in found.found if one.cause is None), key=lambda one: -worth(one))
    return tuple(bias_action(one) for one in (*caused, *(one for one in others[:MOST_BIASES] if worth(one) > 0)))


def worth(one: Bucket) -> float:
    """What correcting a bucket can be expected to win, and without end where that is not known."""
    return math.inf if one.gain is None else one.gain.estimate


def bias_action(one: Bucket) -> Action:
    """What to do about a biased bucket."""
    where = "everywhere" if one.kind == "all" else f"where {one.words}"
    if one.cause is None:
        what = f"Find out why predictions are off {where}, or calibrate them{'' if one.kind == 'all' else ' there'}"
    else:
        what = f"Fix the model, not its output, {where}: {one.cause.advice}"
    return Action(
        kind="fix bias",
        subject="all cases" if one.kind == "all" else one.words,
        what=what,
        why=one.sentence,
        gain=one.gain,
        share=one.share,
        effort=EFFORTS.get("" if one.cause is None else one.cause.kind, "hours"),
        chapter="bias",
    )
