"""Rule lists, learned: short enough to be read aloud, and often as good as anything."""

from __future__ import annotations

import numpy as np
import optuna

from understudy.models.ensemble import Ensemble
from understudy.models.nodes import Graph
from understudy.models.recipes.recipe import BOTH, LINEAR_VIEWS, Estimate, Fitted, Params, Recipe, Traits
from understudy.models.recipes.rule_list import LearnedRule, RuleList
from understudy.models.recipes.rule_search import as_rule, best_rule, holding, screened, what_is_told
from understudy.models.rows import Effort, Rows, sampled

MOST_RULE_ROWS = 20_000


def fit_rules(params: Params, rows: Rows, effort: Effort) -> Estimate:
    """Learn a rule list one rule after the other, the one that tells most about the rows that are left first.

    As in CN2 (Clark & Niblett 1989), but a rule is taken only while it tells more, in nats of log likelihood, than what
    it costs to say it: the logarithm of the number of conditions to choose from, and half the logarithm of the number
    of rows for each number that it answers with (Rissanen 1978). So noise gives no rules.
    """
    part, note = sampled(rows, MOST_RULE_ROWS, effort.seed)
    tells, classes = what_is_told(part)
    table = screened(part, tells)
    left = np.ones(len(part.y), dtype=bool)
    rules: list[LearnedRule] = []
    while len(rules) < params["rules"]:
        sides = best_rule(table, left, params)
        if not sides:
            break
        holds = holding(table, sides)
        rules.append(as_rule(table, sides, table.tells[left & holds]))
        left &= ~holds
    rules.append(as_rule(table, (), table.tells[left]))
    return Estimate(RuleList(tuple(rules), classes), note=note)


def add_rules(fitted: Fitted, graph: Graph) -> None:
    """The rules as one tree: where a condition does not hold, the next rule is asked."""
    estimator: RuleList = fitted.estimator
    classes = np.array([0]) if estimator.classes_ is None else estimator.classes_
    heads = np.cumsum([0, *(len(rule.conditions) + 1 for rule in estimator.rules)])
    feature, threshold = np.zeros(heads[-1], dtype=np.int64), np.zeros(heads[-1])
    otherwise, then = np.full(heads[-1], -1), np.full(heads[-1], -1)
    below, says = np.zeros(heads[-1], dtype=bool), np.zeros((heads[-1], len(classes)))
    for rule, head, after in zip(estimator.rules, heads, heads[1:], strict=False):
        for place, condition in enumerate(rule.conditions, start=head):
            feature[place], threshold[place], below[place] = condition.feature, condition.threshold, not condition.above
            otherwise[place], then[place] = after, place + 1
        says[after - 1] = rule.says
    ensemble = Ensemble()
    ensemble.add_tree(feature, threshold, otherwise, then, says, classes, above=below)
    ensemble.write(graph, "raw", fitted.n_classes or 1)


def rules_space(trial: optuna.Trial) -> Params:
    """How long the list and its rules may be."""
    return {
        "rules": trial.suggest_int("rules", 2, 12),
        "conditions": trial.suggest_int("conditions", 1, 2),
        "fewest": trial.suggest_int("fewest", 5, 100, log=True),
    }


RULES = Recipe(
    name="rules",
    title="Rule list",
    kinds=BOTH,
    views=LINEAR_VIEWS,
    portfolio=({"rules": 5, "conditions": 2, "fewest": 10}, {"rules": 10, "conditions": 2, "fewest": 20}),
    space=rules_space,
    fit_part=fit_rules,
    nodes=add_rules,
    traits=Traits(
        family="rules",
        about="A few rules in order; the first that holds answers. No machine learning is needed to apply them.",
        reads="whole",
        fewest=30,
        most=MOST_RULE_ROWS,
        seconds=0.1,
        micros=8,
    ),
    raced=False,
)
