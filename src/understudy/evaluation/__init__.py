"""Measures with intervals, and the checks that a version must pass before it meets a case."""
