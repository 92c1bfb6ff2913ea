"""The Python package `sliceline` on the same rows, in an environment of its own: numpy and sliceline only."""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
from sliceline.slicefinder import Slicefinder


def main(path: str) -> None:
    with np.load(path) as data:
        codes, loss = data["codes"], data["loss"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    finder = Slicefinder(alpha=0.95, k=10, max_l=2, min_sup=60, verbose=False).fit(codes, loss)
    seconds = time.perf_counter() - began
    found = [[None if one is None else int(one) for one in row] for row in finder.top_slices_.tolist()]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak": peak, "before": before, "found": found[:3]}))


if __name__ == "__main__":
    main(sys.argv[1])
