"""Understudy beside other AutoML tools: the same rows, the same seconds, the same cores, one after another."""
