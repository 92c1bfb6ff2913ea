"""Fits and predictions of LightGBM side by side in one process, as in a server that trains again."""

import subprocess
import sys
import textwrap

SIDE_BY_SIDE = """
    import threading, time
    import numpy as np
    from understudy.models.recipes import RECIPES, Effort, Rows
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 30)).astype(np.float32)
    X[:, 0] = rng.integers(0, 5, 3000)
    rows = Rows("classification", 2, X, (X[:, 1] > 0).astype(np.int64), ["code"] + ["number"] * 29)
    params = RECIPES["lightgbm"].portfolio[0] | {"n_estimators": 5}
    fitted = RECIPES["lightgbm"].fit(params, rows, Effort(0, threads=1))
    end = time.monotonic() + 6
    def repeat(work):
        while time.monotonic() < end:
            work()
    works = [lambda: RECIPES["lightgbm"].fit(params, rows, Effort(0, threads=1)), lambda: fitted.raw(X)] * 2
    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""


def test_predictions_beside_fits_do_not_bring_the_process_down() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SIDE_BY_SIDE)], capture_output=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
