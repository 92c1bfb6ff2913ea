"""It takes a model only where one is surely better than nothing, and rules or today's way surely lose something."""

import pytest

from understudy.core.evidence import Evidence
from understudy.models.probes import Facts, Probe, as_good, best_of, far_behind, not_worse, share_of, what_is_enough

FACTS = Facts(kind="classification", rows=500, columns=5, features=9, classes=2, rarest=100, measured=500)


def about(estimate, width):
    return Evidence(
        estimate=estimate, lower=estimate - width, upper=estimate + width, confidence=0.99, n=500, method="bootstrap"
    )


def probe(name, gain, *, behind=None, width=0.02, family=None):
    return Probe(
        name=name,
        title=name.title(),
        family=name if family is None else family,
        value=about(0.5 + gain, width),
        gain=about(gain, width),
        behind=None if behind is None else about(behind, width),
    )


def test_the_best_is_that_with_the_largest_gain_and_todays_way_does_not_compete():
    probes = [probe("today", 0.4, family=""), probe("linear", 0.2), probe("boosting", 0.3)]
    assert best_of(probes).name == "boosting"
    assert best_of([Probe(name="svm", title="SVM", family="kernels", error="too large")]) is None


@pytest.mark.parametrize(
    ("probes", "enough", "because"),
    [
        (
            [probe("linear", 0.01), probe("rules", -0.05, behind=0.06)],
            "nothing",
            "A gain of up to 0.03 remains possible",
        ),
        ([probe("linear", 0.3), probe("rules", 0.2, behind=0.1)], "model", "rules has 67% of the gain of Linear"),
        (
            [probe("linear", 0.3, width=0.005), probe("rules", 0.29, behind=0.01, width=0.005)],
            "rules",
            "97% of the gain",
        ),
        ([probe("boosting", 0.3), probe("rules", 0.29, behind=0.01, width=0.05)], "model", "97% of the gain"),
        ([probe("rules", 0.3), probe("linear", 0.2, behind=0.1)], "rules", "gains no less than Rules"),
        (
            [probe("today", 0.35, behind=-0.05, family=""), probe("linear", 0.3), probe("rules", 0.2, behind=0.1)],
            "today",
            "Today gains no less than Linear: a model has little to add",
        ),
        ([Probe(name="svm", title="SVM", family="kernels", error="too large")], "nothing", "too large"),
    ],
    ids=["noise", "a model", "rules surely", "rules perhaps", "rules are best", "today", "none could be tried"],
)
def test_what_is_enough(probes, enough, because):
    found, text = what_is_enough(probes, FACTS)
    assert found == enough
    assert because in text


@pytest.mark.parametrize(
    ("behind", "width", "good", "kept", "far"),
    [
        (0.01, 0.005, True, True, False),  # surely loses little
        (0.01, 0.05, False, True, False),  # may lose nothing, or much
        (0.05, 0.02, False, False, False),  # surely loses something
        (0.15, 0.02, False, False, True),  # loses half
        (0.15, 0.20, False, True, False),  # nobody knows
    ],
)
def test_how_far_behind(behind, width, good, kept, far):
    best, other = probe("boosting", 0.3), probe("linear", 0.3 - behind, behind=behind, width=width)
    assert (as_good(other, best), not_worse(other, best), far_behind(other, best)) == (good, kept, far)


def test_the_share_of_a_gain_is_never_negative():
    best = probe("boosting", 0.3)
    assert share_of(probe("linear", 0.15), best) == 0.5
    assert share_of(probe("linear", -0.2), best) == 0.0
    assert share_of(probe("linear", 0.2), probe("boosting", 0.0)) == 0.0
