"""The whole loop over HTTP: cases, outcomes, a step up, a fault, a step down, a new version, a promotion, a replay."""

import random
from pathlib import Path

import pytest
from bench.kills import TASK, Server, make_workspace

from understudy import Budget
from understudy.core.nouns import Level, Role
from understudy.flows.head import Library
from understudy.flows.learn import learn, replay, replay_rivals
from understudy.flows.moves import set_level
from understudy.flows.retrain import retrain
from understudy.flows.verify import verify
from understudy.flows.workspace import Workspace, open_workspace

BASE = f"/v1/tasks/{TASK}"


class World:
    """A server, its workspace, and a truth that can be turned around."""

    def __init__(self, root: Path) -> None:
        self.tokens = make_workspace(root)
        self.work: Workspace = open_workspace(root)
        set_level(self.work, TASK, Level.SHADOW, actor="ann", why="It has to earn its place.")
        self.library = Library(self.work)
        self.server = Server(root)
        self.rng = random.Random(5)
        self.number = 0

    def call(self, method: str, path: str, body: object, role: Role) -> dict:
        status, answer = self.server.call(method, f"{BASE}{path}", body, self.tokens[role])
        assert status == 200, answer
        return answer

    def live(self, count: int, *, flipped: bool = False) -> list[dict]:
        """Cases come, and their outcomes; some of these late, some twice, some corrected."""
        cases, outcomes, late = [], [], []
        for _ in range(count):
            self.number += 1
            income, debt = self.rng.randint(10, 99), self.rng.randint(0, 50)
            good = (income - debt > 20) != flipped
            cases.append({"id": f"L{self.number}", "inputs": {"income": income, "debt": debt}})
            outcome = {"id": f"L{self.number}", "outcome": "yes" if good else "no"}
            if self.number % 50 == 0:
                outcomes.append(outcome | {"outcome": "no" if good else "yes"})  # a slip, corrected below
                late.append(outcome)
            elif self.number % 20 == 0:
                late.append(outcome)
            else:
                outcomes.append(outcome)
            if self.number % 70 == 0:
                outcomes.append(outcome)
        answers = self.call("POST", "/decisions", {"cases": cases}, Role.SERVICE)["cases"]
        self.call("POST", "/outcomes", {"outcomes": outcomes}, Role.SERVICE)
        learn(self.library, TASK)
        self.call("POST", "/outcomes", {"outcomes": late}, Role.SERVICE)
        learn(self.library, TASK)
        return answers

    def status(self) -> dict:
        return self.call("GET", "", None, Role.AUDITOR)


@pytest.fixture
def world(tmp_path: Path):
    found = World(tmp_path / "work")
    yield found
    found.server.kill()


def test_it_earns_its_place_loses_it_when_the_world_turns_and_a_new_version_takes_it(world: World) -> None:
    for _ in range(20):
        assert {answer["decided_by"] for answer in world.live(400)} == {None}
        if world.status()["proposed"]:
            break
    proposed = world.status()["proposed"]
    assert (proposed["kind"], proposed["to"]["level"]) == ("step_up", "partial")
    status, refused = world.server.call("POST", f"{BASE}/level", {"level": "partial"}, world.tokens[Role.OPERATOR])
    assert (status, refused["error"]["kind"]) == (409, "ConflictError")
    deployed = world.call("POST", "/level", {"level": "partial", "why": "I have read it."}, Role.OWNER)
    assert deployed["thresholds"] == proposed["to"]["thresholds"]

    decided = [answer for answer in world.live(400) if answer["decided_by"] == "model"]
    assert len(decided) > 50
    assert all(answer["confidence"] >= deployed["thresholds"][answer["decision"]] for answer in decided)

    kept, anew = replay(world.library, TASK)
    assert kept == anew

    wrong = 0
    for _ in range(20):
        wrong += sum(answer["decided_by"] == "model" for answer in world.live(100, flipped=True))
        if world.status()["level"] != "partial":
            break
    status = world.status()
    assert status["level"] == "assist"
    assert wrong < 400, "it must notice within a few hundred of its own errors"
    moves = world.call("GET", "/events?limit=1000", None, Role.AUDITOR)["events"]
    kinds = [event["kind"] for event in moves if event["kind"].startswith("moved.step")]
    assert kinds == ["moved.step_down", "moved.step_up", "moved.step_down"]
    assert {answer["decided_by"] for answer in world.live(100, flipped=True)} == {None}

    for _ in range(8):  # the world stays as it has become, and people answer
        world.live(400, flipped=True)
    old = world.status()["champion"]
    retrained = retrain(world.library, TASK, actor="ann", budget=Budget(trials=1))
    assert retrained.model.version != old
    for _ in range(20):
        assert {answer["decided_by"] for answer in world.live(400, flipped=True)} == {None}
        both = replay_rivals(world.library, TASK)
        assert all(kept == anew for kept, anew in both.values())
        proposed = world.status()["proposed"]
        if proposed:
            break
    assert (proposed["kind"], proposed["to"]["champion"]) == ("promote", retrained.model.version)
    moved = world.call("POST", "/level", {"level": proposed["to"]["level"], "why": "It is better."}, Role.OWNER)
    assert (moved["champion"], moved["challengers"]) == (retrained.model.version, [old])
    for _ in range(20):
        world.live(400, flipped=True)
        if world.status()["proposed"]:
            break
    again = world.status()["proposed"]
    assert (again["kind"], again["to"]["champion"], again["to"]["level"]) == ("step_up", moved["champion"], "partial")

    kept, anew = replay(world.library, TASK)
    assert kept == anew
    assert [found.faults for found in verify(world.work)] == [()]
