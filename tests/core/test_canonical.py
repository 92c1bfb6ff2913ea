"""One byte form for everything that is hashed, and clear words for what is not installed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.canonical import canonical, chain, digest
from understudy.core.errors import MissingExtraError
from understudy.core.extras import require

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
)


@given(st.dictionaries(st.text(), VALUES))
def test_the_order_of_keys_does_not_matter(value: dict) -> None:
    assert canonical(value) == canonical(dict(reversed(value.items())))


def test_a_chain_depends_on_every_line_before() -> None:
    assert chain(chain("", b"a"), b"b") != chain(chain("", b"c"), b"b")
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_missing_library_says_how_to_install_it() -> None:
    with pytest.raises(
        MissingExtraError,
        match=r"no_such_library is not installed\.\nInstall it with: pip install 'understudy\[spark\]'",
    ):
        require("no_such_library", extra="spark")
