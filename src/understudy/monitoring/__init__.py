"""Bins frozen on the reference, mergeable counters, and how strange a case is."""
