"""A model that a person can read, in words: its rules, its tree, or its weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.tree import BaseDecisionTree

from understudy.core.errors import ModelError
from understudy.data.prepare import (
    BooleanPart,
    CategoryPart,
    DatetimePart,
    Encoding,
    Feature,
    NumberPart,
    Part,
    Scale,
    TextPart,
)
from understudy.models.recipes.bayes import StepSums
from understudy.models.recipes.kernels import Margins
from understudy.models.recipes.recipe import Fitted
from understudy.models.recipes.rule_list import LearnedRule, RuleList
from understudy.models.steps import step_names
from understudy.models.steps.curves import Curves
from understudy.models.steps.step import Name

MOST_WEIGHTS = 30


def describe(fitted: Fitted, encoding: Encoding, labels: Sequence[str]) -> str:
    """What a model does, in lines of text.

    Parameters
    ----------
    fitted : Fitted
    encoding : Encoding
        What it was fitted on.
    labels : sequence of str
        The answers in the order of their index; empty for numbers.

    Raises
    ------
    ModelError
        It is too large to be read.
    """
    estimator = fitted.estimator
    if isinstance(estimator, RuleList):
        return rules_text(fitted, encoding, labels)
    if isinstance(estimator, BaseDecisionTree):
        return tree_text(fitted, encoding, labels)
    if isinstance(estimator, StepSums) and len(estimator.classes_) == 2:
        return steps_text(fitted, encoding, labels)
    if hasattr(estimator, "coef_") or (isinstance(estimator, Margins) and estimator.kept is None):
        return weights_text(fitted, encoding, labels)
    raise ModelError(
        f"A model of kind {fitted.recipe!r} is too large to be read.",
        hint="These can be: rules, tree, logistic, ridge, lasso, elastic_net, linear_svm, bayes of two answers.",
    )


def rules_text(fitted: Fitted, encoding: Encoding, labels: Sequence[str]) -> str:
    """A rule list, a line for each rule."""
    estimator: RuleList = fitted.estimator
    lines = []
    for number, rule in enumerate(estimator.rules):
        said = f"{answer(fitted, np.array(rule.says), labels)} ({rule.rows:,.0f} rows)"
        conditions = rule_conditions(fitted, encoding, rule)
        if not conditions:
            lines.append(f"{'otherwise' if number else 'always'}: {said}")
        else:
            lines.append(f"{'otherwise ' if number else ''}if {conditions}: {said}")
    return "\n".join(lines)


def rule_conditions(fitted: Fitted, encoding: Encoding, rule: LearnedRule) -> str:
    """The conditions of a rule in words."""
    words = [
        condition_words(encoding, int(fitted.columns[one.feature]), one.threshold, above=one.above)
        for one in rule.conditions
    ]
    return " and ".join(words)


def tree_text(fitted: Fitted, encoding: Encoding, labels: Sequence[str]) -> str:
    """A decision tree, each question with its two ways beneath it."""
    tree = fitted.estimator.tree_
    lines: list[str] = []

    def draw(node: int, depth: int, way: str) -> None:
        indent = "  " * depth
        if tree.children_left[node] < 0:
            said = answer(fitted, tree.value[node][0], labels)
            lines.append(f"{indent}{way}{said} ({tree.weighted_n_node_samples[node]:,.0f} rows)")
            return
        feature = int(fitted.columns[tree.feature[node]])
        lines.append(f"{indent}{way}{condition_words(encoding, feature, float(tree.threshold[node]), above=True)}?")
        draw(tree.children_right[node], depth + 1, "yes: ")
        draw(tree.children_left[node], depth + 1, "no: ")

    draw(0, 0, "")
    return "\n".join(lines)


def weights_text(fitted: Fitted, encoding: Encoding, labels: Sequence[str]) -> str:
    """The weights of a linear model, the largest first; those that are 0 are named at the end."""
    margins = isinstance(fitted.estimator, Margins)
    weights = np.atleast_2d(fitted.estimator.weights if margins else fitted.estimator.coef_)
    scores = "the margin" if margins else "the log odds"
    if len(weights) > 1:
        seen = [labels[index] for index in fitted.estimator.classes_]
        parts = [
            named_weights(fitted, encoding, row, f"{scores} of {label}")
            for label, row in zip(seen, weights, strict=True)
        ]
        return "\n\n".join(parts)
    what = f"{scores} of {labels[int(fitted.estimator.classes_[1])]}" if labels else "the number"
    return named_weights(fitted, encoding, weights[0] * fitted.scale, what)


def named_weights(fitted: Fitted, encoding: Encoding, weights: np.ndarray, what: str) -> str:
    """One row of weights: what is added, and for what."""
    columns = fitted.own_columns
    if columns is None:
        weights, names = prepared_weights(fitted, encoding, weights)
        words = names
    else:
        names = [encoding.features[column].name for column in columns]
        words = [step_words(encoding, int(column)) for column in columns]
    order = np.argsort(-np.abs(weights), kind="stable")
    kept = [place for place in order if weights[place] != 0]
    lines = [f"added to {what}:"]
    lines += [f"  {weights[place]:+10.4g}  {words[place]}" for place in kept[:MOST_WEIGHTS]]
    if len(kept) > MOST_WEIGHTS:
        lines.append(f"  and {len(kept) - MOST_WEIGHTS:,} smaller ones")
    zero = [names[place] for place in range(len(weights)) if weights[place] == 0]
    if zero:
        more = f" and {len(zero) - MOST_WEIGHTS:,} more" if len(zero) > MOST_WEIGHTS else ""
        lines.append(f"  exactly 0: {', '.join(zero[:MOST_WEIGHTS])}{more}")
    return "\n".join(lines)


def prepared_weights(fitted: Fitted, encoding: Encoding, weights: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """What is added for each column after the steps, and its name; of a curve, what each of its pieces adds in all."""
    before = [feature_name(encoding, int(column)) for column in fitted.columns]
    names = [name.text for name in step_names(fitted.steps, before)]
    for step in fitted.steps:
        if isinstance(step, Curves):
            weights, trends = risen(step, weights, len(step.kept))
            names = [name for place, name in enumerate(names) if place not in trends]
    return weights, names


def risen(curves: Curves, weights: np.ndarray, first: int) -> tuple[np.ndarray, set[int]]:
    """The weights with those of the ramps as what is added from one knot to the next, and the places of the trends.

    A curve is its trend and its bends; what a reader wants to know is the sum of both, piece by piece.
    """
    rises = curves.high - curves.low
    places: dict[int, list[int]] = {}
    for place, column in enumerate(curves.columns):
        places.setdefault(column, []).append(place)
    told = weights.copy()
    for trend, *pieces in places.values():
        own = weights[first + np.array(pieces)] * curves.rate[pieces]
        told[first + np.array(pieces)] = (own + weights[first + trend] * curves.rate[trend]) * rises[pieces]
    drop = {first + trend for trend, *_ in places.values()}
    return np.delete(told, sorted(drop)), drop


def feature_name(encoding: Encoding, feature: int) -> Name:
    """What a feature is called, and how its values are said in the column's own unit."""
    shown = encoding.features[feature]
    part = part_of(encoding, shown)
    return Name(shown.name, lambda value: unscaled(part, shown, value))


def steps_text(fitted: Fitted, encoding: Encoding, labels: Sequence[str]) -> str:
    """What each step of each feature adds, those first that say most about the usual row."""
    estimator: StepSums = fitted.estimator
    added = [steps[:, 1] - steps[:, 0] for steps in estimator.steps]
    order = sorted(range(len(added)), key=lambda place: -float(np.abs(added[place]) @ estimator.shares[place]))
    lines = [f"added to the log odds of {labels[int(estimator.classes_[1])]}:"]
    for place in order[:MOST_WEIGHTS]:
        feature = int(fitted.columns[estimator.features[place]])
        told = ", ".join(step_texts(encoding, feature, estimator.edges[place], added[place]))
        lines.append(f"  {encoding.features[feature].name}: {told}")
    if len(order) > MOST_WEIGHTS:
        lines.append(f"  and {len(order) - MOST_WEIGHTS:,} that matter less")
    return "\n".join(lines)


def step_texts(encoding: Encoding, feature: int, edges: np.ndarray, added: np.ndarray) -> list[str]:
    """What each step adds: of a category by its levels, of anything else up to each edge, and beyond the last."""
    shown = encoding.features[feature]
    part = part_of(encoding, shown)
    if isinstance(part, CategoryPart) and shown.view == "code":
        names = ["other", "missing", *part.levels]
        return [f"{name} {value:+.2f}" for name, value in zip(names, added, strict=False) if value]
    if shown.view in ("flag", "word") or isinstance(part, BooleanPart):
        return [f"yes {added[-1]:+.2f}", f"no {added[0]:+.2f}"]
    upto = [f"≤ {unscaled(part, shown, float(edge))} {value:+.2f}" for edge, value in zip(edges, added, strict=False)]
    return [*upto, f"above {added[-1]:+.2f}"]


def answer(fitted: Fitted, said: np.ndarray, labels: Sequence[str]) -> str:
    """What is answered: the most probable class and its share, or a number."""
    if not labels:
        return number(float(said[0]) * fitted.scale + fitted.center)
    shares = said / said.sum()
    best = int(np.argmax(shares))
    return f"{labels[int(fitted.estimator.classes_[best])]}, {shares[best]:.0%}"


def step_words(encoding: Encoding, feature: int) -> str:
    """For what a weight is added: for so much more of a number, or for what is so.

    >>> from understudy.data.prepare import NumberPart
    >>> age = NumberPart(column="age", center=40, scale=12, fill=38, flag=False)
    >>> step_words(Encoding(parts=(age,), features=(Feature(name="age", column="age", view="number"),)), 0)
    '12 more of age'
    """
    shown = encoding.features[feature]
    scale = scale_of(part_of(encoding, shown), shown)
    return shown.name if scale is None else f"{number(scale.scale)} more of {shown.name}"


def condition_words(encoding: Encoding, feature: int, threshold: float, *, above: bool) -> str:
    """A condition on one feature, in the column's own unit.

    >>> from understudy.data.prepare import NumberPart
    >>> age = NumberPart(column="age", center=40, scale=12, fill=38, flag=False)
    >>> encoding = Encoding(parts=(age,), features=(Feature(name="age", column="age", view="number"),))
    >>> condition_words(encoding, 0, 0.5, above=True), condition_words(encoding, 0, 0.5, above=False)
    ('age > 46', 'age ≤ 46')
    """
    shown = encoding.features[feature]
    part = part_of(encoding, shown)
    if shown.view == "level":
        return shown.name if above else shown.name.replace(" = ", " ≠ ", 1)
    if shown.view == "flag":
        return shown.name if above else f"{shown.column} is there"
    if shown.view == "word" and threshold <= 0:
        return f"{shown.name} {'occurs' if above else 'does not occur'}"
    if isinstance(part, BooleanPart):
        return f"{shown.column} is {'true' if above else 'false'}"
    return f"{shown.name} {'>' if above else '≤'} {unscaled(part, shown, threshold)}"


def unscaled(part: Part, feature: Feature, value: float) -> str:
    """An encoded number in the column's own unit."""
    scale = scale_of(part, feature)
    value = value if scale is None else value * scale.scale + scale.center
    return number(float(np.expm1(value)) if isinstance(part, TextPart) and feature.view == "number" else value)


def part_of(encoding: Encoding, feature: Feature) -> Part:
    """The part of the encoding that makes a feature."""
    return next(part for part in encoding.parts if part.column == feature.column)


def scale_of(part: Part, feature: Feature) -> Scale | None:
    """How the numbers of a feature were scaled; None where they were not."""
    if isinstance(part, NumberPart) and feature.view == "number":
        return Scale(center=part.center, scale=part.scale)
    if isinstance(part, DatetimePart):
        return part.numbers.get(feature.name.removesuffix(f" of {part.column}"))
    if isinstance(part, TextPart) and feature.view == "number":
        return part.chars if feature.name.startswith("characters") else part.words
    return None


def number(value: float) -> str:
    """A number with four digits that count.

    >>> number(46123.7), number(0.123456)
    ('46,124', '0.1235')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
