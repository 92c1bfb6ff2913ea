"""Recipes, search, calibration and compilation: arrays in, models out."""
