"""Recipes that go wrong in every way, for workers in processes of their own: they must be importable there."""

import os
import time

import numpy as np

from understudy.models.recipes import Estimate, Recipe


class Says:
    """An estimator that gives the same probability of class 1 to every row."""

    classes_ = np.array([0, 1])

    def __init__(self, probability):
        self.probability = probability

    def predict_proba(self, X):
        return np.tile([1 - self.probability, self.probability], (len(X), 1))


def says(params, rows, effort):
    return Estimate(Says(params.get("p", 0.5)))


def hangs(params, rows, effort):
    time.sleep(600)


def refuses(params, rows, effort):
    raise ValueError("the matrix is singular")


def eats(params, rows, effort):
    eaten = []
    while True:
        eaten.append(np.ones(2_000_000))


def leaves(params, rows, effort):
    os._exit(3)


def space(trial):
    return {"p": trial.suggest_float("p", 0.05, 0.95)}


def recipe(fit):
    return Recipe(
        name=fit.__name__,
        title=fit.__name__.title(),
        kinds=frozenset({"classification"}),
        views=frozenset({"number"}),
        portfolio=({"p": 0.5},),
        space=space,
        fit_part=fit,
    )
