"""The commands that steer and watch a task, as an operator types them."""

import getpass
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import understudy
from understudy.cli.level import parse_thresholds
from understudy.cli.token import Action, token
from understudy.core.errors import InputError
from understudy.core.nouns import Role
from understudy.flows.golive import RunResult

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
STEERED = {"revision", "level", "champion", "thresholds", "paused", "task_revision", "epoch"}


class Operator:
    """Types commands in one workspace."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def types(self, *words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "understudy", *map(str, words)]
        wide = os.environ | {"COLUMNS": "160"}
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.work, env=wide)

    def reads(self, *words: object) -> str:
        done = self.types(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def gets(self, *words: object) -> Any:
        return json.loads(self.reads(*words, "--json"))

    def is_refused(self, *words: object, code: int) -> str:
        done = self.types(*words)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr.startswith("Error: ")
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        return done.stderr


@pytest.fixture
def operator(ran: tuple[Path, RunResult], tmp_path: Path) -> Operator:
    shutil.copytree(ran[0], tmp_path / "work")
    return Operator(tmp_path / "work")


@pytest.fixture
def version(ran: tuple[Path, RunResult]) -> str:
    assert ran[1].level == "shadow"
    return ran[1].model.version


def test_status_says_how_every_task_and_how_one_stands(operator: Operator, version: str) -> None:
    table = operator.reads("status")
    for word in ("paused", "waiting", "overdue", "audits", "24 h", "cases", "model", "reviews", "outcomes"):
        assert word in table
    assert re.search(r"^claims +It watches +(0 *){7}$", table, re.MULTILINE)
    one = operator.reads("status", "--task", "claims")
    for words in (
        r"question +What is pay\?",
        "level +shadow: It watches",
        f"champion +{version[:12]} ",
        "thresholds +none",
        "promise +at most 5 of 100 wrong with 95 % confidence",
        "owner +none named",
        r"waits +0 cases \(0 overdue\), 0 audits",
        "last 24 h +0 cases, 0 by the model and 0 by rules at once",
        "0 reviews, 0 outcomes",
    ):
        assert re.search(words, one), words
    plain = operator.gets("status", "-t", "claims")
    assert operator.gets("status") == {"tasks": [plain]}
    assert {"task", "question", "kind", "level", "on_screen", "paused", "champion", "thresholds"} <= set(plain)
    assert {"revision", "owner", "max_error", "confidence", "counts"} <= set(plain)
    assert plain["counts"]["waiting"] == 0


def test_an_empty_workspace_has_no_task_to_show_or_to_apply(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    assert "There is no task yet." in operator.reads("status")
    assert operator.gets("status") == {"tasks": []}
    assert "There is no task file in" in operator.reads("apply")
    assert operator.gets("apply") == {"tasks": []}
    assert "The store knows no task 'claims'" in operator.is_refused("status", "-t", "claims", code=2)


def test_a_task_file_that_has_changed_holds_once_it_is_applied(operator: Operator) -> None:
    assert operator.reads("apply") == "claims: revision 1 holds already, level shadow\n"
    file = operator.work / "tasks" / "claims.toml"
    file.write_text(file.read_text() + "\n# A remark.\n")
    assert operator.reads("apply", "--task", "claims") == "claims: revision 2 now holds, level shadow\n"
    unchanged = {"task": "claims", "revision": 2, "changed": False, "level": "shadow"}
    assert operator.gets("apply") == {"tasks": [unchanged]}
    assert operator.gets("apply", "-t", "claims") == unchanged
    assert "There is no task 'none'" in operator.is_refused("apply", "-t", "none", code=2)


def test_the_event_log_is_printed_line_by_line_and_a_page_at_a_time(operator: Operator, version: str) -> None:
    saved, registered, moved = operator.reads("events", "-t", "claims").splitlines()
    assert re.fullmatch(rf'1  {TIME}  .+  task\.saved  {{"digest":".+","revision":1}}  [0-9a-f]{{12}}', saved)
    assert f'  {getpass.getuser()}  model.registered  {{"passed":true,' in registered
    assert version in moved
    whole = operator.gets("events", "-t", "claims")
    assert (whole["task"], whole["next"]) == ("claims", None)
    assert [set(event) for event in whole["events"]] == [
        {"seq", "at", "actor", "kind", "body", "previous", "hash"} for _ in range(3)
    ]
    page = operator.gets("events", "-t", "claims", "--after", 1, "--limit", 1)
    assert page == {"task": "claims", "events": [whole["events"][1]], "next": 2}


def test_a_step_up_without_proof_is_refused_unless_it_overrides(operator: Operator) -> None:
    refusal = operator.is_refused("level", "assist", "-t", "claims", "--why", "I like it.", code=1)
    assert "claims stands at shadow; a step up to assist is not proven." in refusal
    assert "override with a reason" in refusal
    assert "An override needs a reason." in operator.is_refused("level", "assist", "-t", "claims", "--override", code=2)
    assert operator.gets("status", "-t", "claims")["level"] == "shadow"


def test_an_override_is_recorded_with_its_reason_and_a_step_down_needs_none(operator: Operator, version: str) -> None:
    why = "The board [red]decided[/red] so :bug: on Monday."
    words = ("level", "partial", "-t", "claims", "--override", "--threshold", "yes=0.95", "--threshold", "no=0.9")
    said = operator.reads(*words, "--why", why)
    assert f"claims is at level partial: It decides clear cases; champion {version[:12]}, deployment 2." in said
    assert "Thresholds: yes from 0.95, no from 0.9" in said
    assert operator.gets("status", "-t", "claims")["thresholds"] == {"yes": 0.95, "no": 0.9}
    down = operator.gets("level", "shadow", "-t", "claims")
    assert set(down) >= STEERED
    assert (down["level"], down["revision"], down["thresholds"]) == ("shadow", 3, {})

    lines = operator.reads("history", "-t", "claims").splitlines()
    user = re.escape(getpass.getuser())
    assert re.fullmatch(rf"{TIME}  step down  shadow  {version[:12]}  by {user}", lines[0])
    assert lines[1] == "  By hand."
    assert re.fullmatch(rf"{TIME}  override  partial  {version[:12]}  by {user}", lines[2])
    assert lines[3:5] == ["  Without proof, by the owner's word.", f"  {why}"]
    assert re.fullmatch(rf"{TIME}  shadow  shadow  {version[:12]}  by {user}", lines[5])
    assert lines[6].startswith("  US001 ")
    history = operator.gets("history", "-t", "claims")
    assert history["task"] == "claims"
    assert [move["kind"] for move in history["moves"]] == ["step_down", "override", "shadow"]
    override = history["moves"][1]
    assert set(override) == {"seq", "at", "actor", "kind", "level", "champion", "reasons"}
    assert (override["actor"], override["level"], override["champion"]) == (getpass.getuser(), "partial", version)
    assert override["reasons"] == ["Without proof, by the owner's word.", why]


def test_no_override_goes_above_the_highest_level_of_the_task_file(operator: Operator) -> None:
    refusal = operator.is_refused("level", "full", "-t", "claims", "--override", "--why", "I say so.", code=2)
    assert "The task file allows no level above partial." in refusal


@pytest.mark.parametrize("text", ["yes", "=0.9", "yes=often", "yes=1.5", "yes=nan"])
def test_a_threshold_that_is_none_is_answered_with_an_example(text: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_thresholds(["no=0.9", text])
    assert refusal.value.message == f"The threshold {text!r} is not an answer with a confidence between 0 and 1."
    assert refusal.value.hint == "Write it as in --threshold yes=0.95"


def test_a_level_that_does_not_exist_is_answered_with_those_that_do(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    error = json.loads(operator.types("level", "boss", "-t", "claims", "--json").stdout)["error"]
    assert (error["kind"], error["message"]) == ("InputError", "There is no level 'boss'.")
    assert error["hint"] == "The levels are human, shadow, assist, partial, full."
    words = ("level", "shadow", "-t", "claims", "--threshold", "yes=0.9")
    assert "A threshold by hand is an override." in operator.is_refused(*words, code=2)
    assert "The threshold 'yes' is not an answer" in operator.is_refused(*words, "--threshold", "yes", code=2)


def test_a_paused_task_decides_nothing_until_it_is_resumed(operator: Operator) -> None:
    paused = operator.reads("pause", "-t", "claims", "--why", "Odd answers since noon.")
    assert "claims is at level shadow: It watches, paused: it decides nothing; champion" in paused
    again = operator.gets("pause", "-t", "claims")
    assert set(again) >= STEERED
    assert (again["paused"], again["revision"]) == (True, 2)
    assert re.search(r"^claims +It watches +paused +0", operator.reads("status"), re.MULTILINE)
    assert "shadow: It watches; paused: it decides nothing" in operator.reads("status", "-t", "claims")
    assert "paused" not in operator.reads("resume", "-t", "claims", "--why", "It was the sensor.")
    assert operator.gets("resume", "-t", "claims")["revision"] == 3
    moves = operator.gets("history", "-t", "claims")["moves"]
    assert [(move["kind"], move["reasons"]) for move in moves[:2]] == [
        ("resume", ["It was the sensor."]),
        ("pause", ["Odd answers since noon."]),
    ]


def test_without_an_earlier_champion_there_is_nothing_to_roll_back_to(operator: Operator) -> None:
    assert "There is no earlier champion to go back to." in operator.is_refused("rollback", "-t", "claims", code=1)
    refusal = operator.is_refused("rollback", "-t", "claims", "--version", "zzzz", code=2)
    assert "There is no version 'zzzz'" in refusal


def test_a_rollback_brings_the_earlier_champion_back(operator: Operator, version: str, claims_csv: Path) -> None:
    budget = understudy.Budget(trials=1)
    second = understudy.run(claims_csv, target="pay", workspace=operator.work, budget=budget, seed=1)
    assert second.level == "shadow"
    assert second.model.version != version
    back = operator.reads("rollback", "-t", "claims", "--version", version[:12], "--why", "It was better.")
    assert f"champion {version[:12]}, deployment 3." in back
    move = operator.gets("history", "-t", "claims")["moves"][0]
    assert (move["kind"], move["champion"], move["reasons"]) == ("rollback", version, ["It was better."])
    unchanged = operator.gets("rollback", "-t", "claims", "--version", version)
    assert set(unchanged) >= STEERED
    assert (unchanged["champion"], unchanged["revision"]) == (version, 3)


def stored(work: Path) -> bytes:
    """Everything that the store has on disk."""
    return b"".join(file.read_bytes() for file in sorted((work / ".understudy").glob("store.db*")))


def test_a_secret_is_shown_once_alone_on_its_line_and_never_stored_in_the_clear(operator: Operator) -> None:
    made = operator.types("token", "create", "intake", "--role", "service", "--task", "claims", "--days", 30)
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"us_[\w-]{40,}\n", made.stdout)
    assert "not shown again" in made.stderr
    secret = made.stdout.strip()
    linked = operator.types("token", "create", "ann", "--role", "owner", "--link")
    assert re.fullmatch(r"/sign-in\?key=us_[\w-]{40,}\n", linked.stdout)
    assert "Append it to the server's address." in linked.stderr
    key = linked.stdout.strip().partition("key=")[2]

    store = stored(operator.work)
    assert b"intake" in store
    for hidden in (secret, key):
        assert hidden.encode() not in store
        assert hidden.removeprefix("us_").encode() not in store
    listing = operator.reads("token", "list")
    assert re.search(rf"^intake +token +service +claims +{TIME} +{TIME} +in force", listing, re.MULTILINE)
    assert re.search(rf"^ann +link +owner +all +{TIME} +{TIME} +in force", listing, re.MULTILINE)
    plain = operator.gets("token", "list")["tokens"]
    assert {(one["name"], one["kind"], one["role"], one["task"]) for one in plain} == {
        ("intake", "api", "service", "claims"),
        ("ann", "link", "owner", None),
    }
    assert {key for one in plain for key in one} == {
        "kind", "name", "role", "task", "created_at", "expires_at", "revoked_at"
    }  # fmt: skip
    shown = listing + json.dumps(plain)
    assert secret not in shown
    assert not re.search(r"[0-9a-f]{64}", shown)


def test_tokens_are_made_for_machines_and_revoked_by_name(operator: Operator) -> None:
    unknown = ("token", "create", "x", "--role", "service", "--task", "clams")
    assert "knows no task 'clams'" in operator.is_refused(*unknown, code=2)
    assert "There is no token yet." in operator.reads("token", "list")
    made = operator.gets("token", "create", "intake", "--role", "service")
    assert made == {"name": "intake", "role": "service", "task": None, "kind": "api", "secret": made["secret"]}
    linked = operator.gets("token", "create", "ann", "--role", "reviewer", "--task", "claims", "--link")
    assert linked == {"name": "ann", "role": "reviewer", "task": "claims", "kind": "link", "path": linked["path"]}
    assert linked["path"].startswith("/sign-in?key=us_")
    assert operator.gets("token", "revoke", "intake") == {"name": "intake", "ended": 1}
    assert "Tokens and sessions of ann that have ended: 1." in operator.reads("token", "revoke", "ann")
    listing = operator.reads("token", "list")
    assert re.search(r"^intake .+ never +revoked", listing, re.MULTILINE)
    assert re.search(r"^ann .+ used or revoked", listing, re.MULTILINE)
    refusal = operator.is_refused("token", "revoke", "intake", code=2)
    assert "There is no token or session of 'intake' in force." in refusal


@pytest.mark.parametrize(
    ("action", "told", "sentence"),
    [
        (Action.CREATE, {"role": Role.SERVICE}, "create needs a name."),
        (Action.CREATE, {"name": "intake"}, "A token needs a role."),
        (
            Action.CREATE,
            {"name": "ann", "role": Role.OWNER, "link": True, "days": 3},
            "A sign-in link lasts 15 minutes",
        ),
        (Action.REVOKE, {"name": "ann", "task": "claims"}, "are for create only."),
        (Action.LIST, {"name": "ann"}, "list takes no name"),
    ],
)
def test_a_token_command_that_says_too_little_or_too_much_is_refused(
    action: Action, told: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence):
        token(action, workspace=tmp_path, **told)
    assert not (tmp_path / ".understudy").exists()
