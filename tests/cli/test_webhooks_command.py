"""`understudy webhooks`, and where else one sees that something is stuck."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from receiver import SECRET, VARIABLE, receiving
from understudy.cli.main import app
from understudy.flows.doctor import webhooks as check_webhooks
from understudy.flows.workspace import open_workspace
from understudy.store.tasks import save_task
from understudy.store.webhooks import Letter, Place, keep_letter, note_error, note_sent, open_webhook

AT = 1_700_000_000_000_000


@pytest.fixture
def place(tmp_path: Path):
    """A workspace with two webhooks: one that gave a message up, and one that no server has served."""
    with receiving() as receiver:
        hook = f'secret = "{VARIABLE}"\nallow_private = true\nurl = "{receiver.url}"\n'
        text = "".join(f'[[webhooks]]\nname = "{name}"\n{hook}' for name in ("crm", "new"))
        (tmp_path / "understudy.toml").write_text(text)
        work = open_workspace(tmp_path)
        with work.store.writing() as connection:
            number, _ = save_task(connection, "claims", b"[task]", secret=b"s" * 32, actor="ann", at=AT)
            open_webhook(connection, "crm", at=AT)
            place = Place(task=number, source="cases", seq=1)
            note_sent(connection, "crm", 3, at=AT)
            note_error(connection, "crm", "it answered 400", at=AT)
            letter = Letter(place=place, attempts=5, first_at=AT, next_at=AT, dead_at=AT, error="it answered 400")
            keep_letter(connection, "crm", letter)
        yield tmp_path, work, receiver


def call(place: Path, *arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["webhooks", *arguments, "--workspace", str(place)])
    assert done.exit_code == status, (done.output, done.exception)
    return done.output


def test_it_lists_how_each_stands_and_shows_no_address(place) -> None:
    root, work, _ = place
    crm, new = json.loads(call(root, "--json"))["webhooks"]
    assert (crm["state"], crm["sent"], crm["waiting"], crm["error"]) == ("failing", 3, 0, "it answered 400")
    assert (crm["dead"][0]["task"], crm["dead"][0]["attempts"], crm["dead"][0]["next_at"]) == ("claims", 5, None)
    assert (new["state"], new["stuck"]) == ("new", "")
    told = "1 messages were given up; the last error: it answered 400"
    assert crm["stuck"] == told
    text = call(root)
    assert "hidden" not in text + json.dumps([crm, new])
    assert crm["dead"][0]["id"] in text
    (found,) = check_webhooks(work)
    assert (found.state, found.detail) == ("warn", f"crm: {told}")
    assert found.way_out.endswith("understudy webhooks retry crm")


def test_test_and_retry(place, monkeypatch) -> None:
    root, _, receiver = place
    monkeypatch.setenv(VARIABLE, SECRET)
    assert "crm took it (204)" in call(root, "test", "crm")
    receiver.answers = [500]
    assert json.loads(call(root, "test", "crm", "--json", status=1))["error"] == "it answered 500"
    assert json.loads(call(root, "retry", "crm", "--json")) == {"name": "crm", "retried": 1}
    assert json.loads(call(root, "--json"))["webhooks"][0]["dead"] == []


@pytest.mark.parametrize("arguments", [("list", "crm"), ("test",), ("retry",), ("test", "none"), ("retry", "none")])
def test_what_makes_no_sense_is_refused(place, arguments) -> None:
    call(place[0], *arguments, status=1)


def test_a_workspace_without_webhooks_says_so(tmp_path: Path) -> None:
    assert "There is no webhook yet. Name one under [[webhooks]]" in " ".join(call(tmp_path).split())
