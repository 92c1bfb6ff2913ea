"""MAPIE's risk controller beside the gate: what each certifies, looked at once and looked at ten times.

`BinaryClassificationController` with the precision as its risk asks just what the gate asks: of the cases at or above a
threshold, are fewer than r wrong? It is learn-then-test (Angelopoulos et al. 2025) with p-values after Hoeffding and
Bentkus, for one look at a number of labels that was fixed beforehand.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from joblib import Parallel, delayed

from bench.evidence.gate import DELTA, rows_of
from bench.evidence.show import Part, percent, table
from bench.evidence.worlds import WORLDS, World
from understudy.evidence.gate import GatePlan, certified, fold_gate, open_gate

R, POINTS = 0.05, 20
LOOKS = tuple(range(500, 5001, 500))
SHOWN = (1000, 2000, 5000)
METHODS = {
    "bonferroni_holm": "MAPIE, as it comes (Bonferroni & Holm)",
    "fixed_sequence": "MAPIE, fixed sequence",
}
GATE = "the gate"
LIMIT = World("limit", np.ones_like)
LINEAR, STEEP = WORLDS[0], WORLDS[1]


def plan_of(world: World) -> GatePlan:
    """What is certified there, by all of them."""
    return GatePlan(sides=("a",), grid=(world.grid(POINTS),), max_error=R, delta=DELTA)


def draw(world: World, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and losses of many runs, shape (runs, cases)."""
    rng = np.random.default_rng(17)
    drawn = [world.draw(rng, LOOKS[-1], R) for _ in range(runs)]
    return np.array([one for one, _ in drawn]), np.array([loss for _, loss in drawn])


def by_gate(plan: GatePlan, confidence: np.ndarray, loss: np.ndarray) -> list[float]:
    """The lowest certified threshold at each look of one run; NaN if there is none."""
    state, found, first = open_gate(plan), [], 0
    for last in LOOKS:
        state, first = fold_gate(state, plan, rows_of(confidence[first:last], loss[first:last])), last
        found.append(certified(state, plan).get("a", np.nan))
    return found


def by_mapie(python: str, plan: GatePlan, confidence: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """The same by MAPIE, of many runs and by each method, shape (methods, runs, looks)."""
    with TemporaryDirectory() as folder:
        source, target = f"{folder}/asked.npz", f"{folder}/found.npy"
        asked = {"confidence": confidence, "loss": loss, "looks": np.array(LOOKS), "methods": np.array(list(METHODS))}
        np.savez(source, grid=np.array(plan.grid[0]), max_error=R, delta=DELTA, **asked)  # type: ignore[arg-type]
        worker = Path(__file__).with_name("controller_worker.py")
        subprocess.run([python, str(worker), source, target], check=True)
        found: np.ndarray = np.load(target)
    return found


def thresholds(python: str, world: World, runs: int) -> dict[str, np.ndarray]:
    """The threshold that each chooses at each look, shape (runs, looks)."""
    plan, (confidence, loss) = plan_of(world), draw(world, runs)
    gate = np.array([by_gate(plan, *one) for one in zip(confidence, loss, strict=True)])
    return {**dict(zip(METHODS.values(), by_mapie(python, plan, confidence, loss), strict=True)), GATE: gate}


def missing(python: str) -> str:
    """What keeps this interpreter from running MAPIE; empty if nothing does."""
    try:
        found = subprocess.run([python, "-c", "import mapie.risk_control"], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return found.stderr.strip().rpartition("\n")[2] if found.returncode else ""


def measure(runs: int, jobs: int, python: str = sys.executable) -> Part:
    """Coverage, and how often a threshold is certified that is not good enough; skipped where MAPIE is not there."""
    if why := missing(python):
        print(
            f"mapie: left out, {python} says: {why}. Name a Python that has it with --mapie PYTHON (pip install mapie)."
        )
        return Part("mapie", {})
    worlds = {LIMIT: 2 * runs, LINEAR: runs // 2, STEEP: runs // 2}
    found = Parallel(n_jobs=jobs)(delayed(thresholds)(python, world, n) for world, n in worlds.items())
    return Part("mapie", {"mapie": side_by_side(dict(zip(worlds, found, strict=True)))})


def side_by_side(found: dict[World, dict[str, np.ndarray]]) -> str:
    """False certificates at the limit, by one look and by ten, and mean coverage elsewhere."""
    head = [
        "certified by",
        "false, one look",
        "false, ten looks",
        *(f"{world.name}, 1,000 · 2,000 · 5,000" for world in list(found)[1:]),
    ]
    rows = []
    for name, false in found[LIMIT].items():
        granted = ~np.isnan(false)
        covered = [covered_by(world, by_name[name]) for world, by_name in list(found.items())[1:]]
        rows.append([name, percent(granted[:, -1].mean(), 1), percent(granted.any(axis=1).mean(), 1), *covered])
    return table(head, rows)


def covered_by(world: World, chosen: np.ndarray) -> str:
    """Mean coverage in percent at some of the looks, each for itself."""
    share = np.array([[0.0 if np.isnan(one) else world.coverage(float(one)) for one in run] for run in chosen])
    return " · ".join(f"{100 * share[:, LOOKS.index(n)].mean():.0f}" for n in SHOWN)
