"""Statistics on arrays: certified thresholds, the error budget, change, paired comparison. Knows no tasks or models."""
