"""Understudy learns decisions, and takes them over as far as the evidence allows."""
