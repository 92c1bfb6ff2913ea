"""What is known of a column holds for its number, and for nothing else."""

import polars as pl
import pytest

from understudy.core.errors import InputError
from understudy.data.contract import infer_contract
from understudy.data.prepare import fit_encoding
from understudy.data.reading import read_frame
from understudy.models.directions import directions


@pytest.fixture(scope="module")
def encoding():
    table = pl.DataFrame(
        {"amount": [1.5, None, 3.0, 4.0], "member": [True, False, True, False], "region": ["a", "b", "a", "b"]}
    )
    contract = infer_contract(table)
    return fit_encoding(read_frame(contract, table)[0], contract)


def test_each_feature_gets_the_direction_of_its_column(encoding):
    found = directions(encoding, {"amount": "falls", "member": "rises"})
    named = dict(zip([feature.name for feature in encoding.features], found.tolist(), strict=True))
    assert {name: sign for name, sign in named.items() if sign} == {"amount": -1, "member": 1}
    assert "amount is missing" in named


def test_without_knowledge_all_are_0(encoding):
    assert not directions(encoding, {}).any()


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"region": "rises"}, r"direction is given for 'region'[\s\S]*These are: amount, member\."),
        ({"age": "falls"}, "direction is given for 'age'"),
        ({"amount": "up"}, "direction of 'amount' is 'up'; it is 'rises' or 'falls'"),
    ],
)
def test_a_column_without_direction_and_a_sign_that_is_none_are_refused(encoding, known, message):
    with pytest.raises(InputError, match=message):
        directions(encoding, known)
