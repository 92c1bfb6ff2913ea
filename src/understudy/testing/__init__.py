"""Suites of tests that a plugin's author subclasses."""

import pytest

pytest.register_assert_rewrite("understudy.testing.store_suite")
