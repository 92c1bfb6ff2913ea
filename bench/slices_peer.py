"""The Python package `sliceline` on the same rows; runs in an environment with numpy and sliceline only."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
from sliceline.slicefinder import Slicefinder


def peak_kilobytes() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0


def main(path: str) -> None:
    with np.load(path) as data:
        codes, loss = data["codes"], data["loss"]
    before = peak_kilobytes()
    began = time.perf_counter()
    finder = Slicefinder(alpha=0.95, k=10, max_l=2, min_sup=60, verbose=False).fit(codes, loss)
    seconds = time.perf_counter() - began
    first = [[place, int(code)] for place, code in enumerate(finder.top_slices_[0]) if code is not None]
    print(json.dumps({"seconds": seconds, "peak": peak_kilobytes(), "before": before, "first": str(first)}))


if __name__ == "__main__":
    main(sys.argv[1])
