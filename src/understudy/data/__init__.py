"""Contract, profile, split and the one frozen encoding: frames in, values out, no disk and no clock."""
