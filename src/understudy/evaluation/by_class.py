"""How good the answers are class by class: which classes are found, and which are claimed wrongly."""

from __future__ import annotations

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.evaluation.estimates import f1_of, ratio_evidence, share_of

MOST_CLASSES = 40


class ClassMeasures(msgspec.Struct, frozen=True, kw_only=True):
    """One class: how often it is the truth and the answer, and how good its answers are.

    Attributes
    ----------
    label : str
    truth, said : int
        Cases that are so, and that are answered so.
    precision, recall, f1 : Evidence
    """

    label: str
    truth: int
    said: int
    precision: Evidence
    recall: Evidence
    f1: Evidence


def by_class(
    y: np.ndarray, answers: np.ndarray, labels: tuple[str, ...], *, groups: np.ndarray | None = None
) -> tuple[ClassMeasures, ...]:
    """Precision, recall and F1 of each class, of very many of the most frequent ones.

    Parameters
    ----------
    y, answers : ndarray of int, shape (n,)
        Class indices.
    labels : tuple of str
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent; the bounds are exact where there are none.

    >>> found = by_class(np.array([0, 1, 1]), np.array([0, 0, 1]), ("no", "yes"))
    >>> [(one.label, one.precision.estimate, one.recall.estimate) for one in found]
    [('no', 0.5, 1.0), ('yes', 1.0, 0.5)]
    """
    k = len(labels)
    truth, said = np.bincount(y, minlength=k), np.bincount(answers, minlength=k)
    both = np.bincount(y[y == answers], minlength=k)
    shown = np.sort(np.argsort(-truth, kind="stable")[:MOST_CLASSES])
    made = []
    for label in shown.tolist():
        if groups is None:
            hit, is_so, said_so = int(both[label]), int(truth[label]), int(said[label])
            figures = (
                share_of(hit, said_so),
                share_of(hit, is_so),
                f1_of(share_of(hit, is_so + said_so - hit)),
            )
        else:
            figures = grouped_figures(y == label, answers == label, groups)
        precision, recall, f1 = figures
        made.append(
            ClassMeasures(
                label=labels[label],
                truth=int(truth[label]),
                said=int(said[label]),
                precision=precision,
                recall=recall,
                f1=f1,
            )
        )
    return tuple(made)


def grouped_figures(is_so: np.ndarray, said_so: np.ndarray, groups: np.ndarray) -> tuple[Evidence, Evidence, Evidence]:
    """Precision, recall and F1 where rows of one group are not independent."""
    hit, truth, said = ((is_so & said_so) * 1.0, is_so * 1.0, said_so * 1.0)
    return (
        ratio_evidence(hit, said, groups=groups),
        ratio_evidence(hit, truth, groups=groups),
        ratio_evidence(2 * hit, truth + said, groups=groups),
    )


def weighted_averages(classes: tuple[ClassMeasures, ...]) -> dict[str, float]:
    """Precision, recall and F1 averaged over the classes by how often each is the truth.

    >>> found = by_class(np.array([0, 1, 1]), np.array([0, 0, 1]), ("no", "yes"))
    >>> round(weighted_averages(found)["precision"], 3)
    0.833
    """
    weights = np.array([one.truth for one in classes], dtype=np.float64)
    total = max(float(weights.sum()), 1.0)
    return {
        name: float(sum(w * getattr(one, name).estimate for w, one in zip(weights, classes, strict=True)) / total)
        for name in ("precision", "recall", "f1")
    }
