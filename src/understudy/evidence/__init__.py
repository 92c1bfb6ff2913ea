"""Statistics on arrays that knows no tasks or models: certified thresholds, the error budget, change, comparison.

Beside these: means of bounded numbers, false discoveries, off-policy value, shift of inputs and labels, performance
without labels, agreement of people.
"""
