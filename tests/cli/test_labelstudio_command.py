"""`understudy labelstudio`: the configuration, the tasks, and the annotations, as somebody types it."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from flows.desk import ask, desk
from understudy.cli.labelstudio import Action, labelstudio
from understudy.core.errors import DataError, InputError
from understudy.flows.head import load_head


@pytest.fixture
def root(ran, tmp_path: Path) -> Path:
    """A workspace in shadow in which three cases wait."""
    library = desk(ran[0], tmp_path)
    ask(load_head(library, "claims"), ["c0", "c1", "c2"])
    return library.work.root


def annotated(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first task is answered, the second with a fault, the third not at all; a fourth is of no case."""
    result = [{"from_name": "answer", "to_name": "case", "type": "choices", "value": {"choices": ["yes"]}}]
    good = {"id": 1, "completed_by": 7, "created_at": "2099-01-01T00:00:00Z", "result": result}
    return [
        tasks[0] | {"annotations": [good]},
        tasks[1] | {"annotations": [good | {"id": 2, "lead_time": "long"}]},
        tasks[2] | {"annotations": []},
        {"data": {"case": "nobody"}, "annotations": [good | {"id": 3}]},
    ]


def test_a_team_goes_from_the_configuration_to_reviews(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labelstudio(Action.CONFIG, "claims", workspace=root)
    assert ET.fromstring(capsys.readouterr().out).find("Choices") is not None
    place = root / "out.json"
    labelstudio(Action.EXPORT, "claims", workspace=root, out=place, queue=True)
    assert "3 tasks: 0 with a suggestion, 3 without, on purpose." in capsys.readouterr().out
    file = root / "annotated.json"
    file.write_text(json.dumps(annotated(json.loads(place.read_text()))))
    labelstudio(Action.IMPORT, "claims", file, workspace=root, dry_run=True)
    tried = capsys.readouterr().out
    assert "1 recorded" in tried
    assert "annotation 2 of case c1: invalid." in tried
    assert "task 2, annotation 2: lead_time: expected seconds, 0 or more, got 'long'" in tried
    assert "annotation 3 of case nobody: unknown. The task 'claims' has no such case." in tried
    assert "nothing was kept" in tried
    labelstudio(Action.IMPORT, "claims", file, workspace=root, json=True)
    done = json.loads(capsys.readouterr().out)
    assert done["counts"] == {"recorded": 1, "invalid": 1, "unknown": 1}
    assert done["annotations"][0]["blind"] is True
    labelstudio(Action.IMPORT, "claims", file, workspace=root)
    assert "1 duplicate" in capsys.readouterr().out


def test_options_that_fit_no_action_and_files_that_are_not_there_are_refused(root: Path) -> None:
    with pytest.raises(InputError, match="FILE"):
        labelstudio(Action.IMPORT, "claims", workspace=root)
    with pytest.raises(InputError, match="--queue"):
        labelstudio(Action.CONFIG, "claims", workspace=root, queue=True)
    with pytest.raises(InputError, match="--dry-run"):
        labelstudio(Action.EXPORT, "claims", workspace=root, dry_run=True)
    with pytest.raises(InputError, match="--out"):
        labelstudio(Action.IMPORT, "claims", root / "x.json", workspace=root, out=root / "y")
    with pytest.raises(InputError, match="printable"):
        labelstudio(Action.IMPORT, "claims", root / "understudy.toml", workspace=root, name="")
    with pytest.raises(DataError, match="cannot be read"):
        labelstudio(Action.IMPORT, "claims", root / "none.json", workspace=root)
    for action in (Action.CONFIG, Action.EXPORT):
        with pytest.raises(DataError, match="cannot be written"):
            labelstudio(action, "claims", workspace=root, out=root / "none" / "x")
