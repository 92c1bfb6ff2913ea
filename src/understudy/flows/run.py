"""The main job: from a table to a checked, compiled, registered model that goes to shadow."""
