"""Models that exist already go on the ladder: an ONNX file, a scikit-learn model, a column of scores, an endpoint."""

import json
import pickle
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
import skops.io
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import understudy
from conftest import claims
from understudy.core.errors import InputError, ModelError
from understudy.flows.adopt import Origin

ROWS = claims(800, seed=1).with_columns(amount=pl.col("amount").cast(pl.Float64)).drop("age", "paid_amount")
OLD = claims(400, seed=2).with_columns(amount=pl.col("amount").cast(pl.Float64)).drop("age", "paid_amount")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "claims.parquet"
    share = 1 / (1 + np.exp(ROWS["amount"].to_numpy() / 300 - 1.0))
    ROWS.with_columns(score=pl.Series(share)).write_parquet(path)
    return path


def fitted_pipeline(unknown: str = "ignore") -> object:
    prepare = make_column_transformer(
        (OneHotEncoder(handle_unknown=unknown), ["region"]), ("passthrough", ["amount"]), remainder="drop"
    )
    return make_pipeline(prepare, LogisticRegression(max_iter=2000)).fit(
        OLD.select("region", "amount"), OLD["pay"].to_list()
    )


def check_adopted(result: object, tmp_path: Path, recipe: str) -> None:
    assert (result.model.recipe, result.model.compiled, result.model.reason) == (recipe, False, "it was adopted")
    assert result.metrics["roc_auc"].lower > 0.5
    assert result.level == "shadow"
    version = understudy.load("claims", workspace=tmp_path)
    row = {name: ROWS[name][0] for name in version.inputs if name in ROWS.columns}
    row |= {"score": 0.5} if "score" in version.inputs else {}
    table = version.predict(pl.DataFrame([row]))
    assert version.predict_row(row).probabilities["yes"] == pytest.approx(table.scores[0, 1])


def test_a_scikit_learn_model_saved_by_skops(rows: Path, tmp_path: Path) -> None:
    skops.io.dump(fitted_pipeline(), tmp_path / "model.skops")
    result = understudy.adopt(str(tmp_path / "model.skops"), rows, task="claims", target="pay", workspace=tmp_path)
    check_adopted(result, tmp_path, "adopted-skops")
    assert result.metrics["roc_auc"].estimate > 0.65


def test_an_onnx_file_that_takes_a_matrix(rows: Path, tmp_path: Path) -> None:
    model = LogisticRegression().fit(OLD.select("amount").to_numpy().astype(np.float32), OLD["pay"].to_list())
    (tmp_path / "model.onnx").write_bytes(
        to_onnx(model, np.zeros((1, 1), np.float32), options={"zipmap": False}).SerializeToString()
    )
    origin = Origin(str(tmp_path / "model.onnx"), inputs=("amount",))
    result = understudy.adopt(origin, rows, task="claims", target="pay", workspace=tmp_path)
    check_adopted(result, tmp_path, "adopted-onnx")


def test_a_column_of_scores(rows: Path, tmp_path: Path) -> None:
    result = understudy.adopt("score", rows, task="claims", target="pay", workspace=tmp_path)
    check_adopted(result, tmp_path, "adopted-scores")


class Answering(BaseHTTPRequestHandler):
    """A model server in MLflow's shape that fails now and then."""

    failures = 0
    asked: ClassVar[list[dict]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append({"body": body, "token": self.headers.get("Authorization")})
        if type(self).failures:
            type(self).failures -= 1
            self.send_error(503)
            return
        scores = [1 / (1 + np.exp(row["amount"] / 300 - 1)) for row in body["dataframe_records"]]
        data = json.dumps({"predictions": scores}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("understudy.sources.endpoint.time.sleep", lambda _: None)
    Answering.failures, Answering.asked = 0, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/invocations"
    server.shutdown()


def test_an_endpoint_is_asked_again_when_it_fails(
    rows: Path, tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Answering.failures = 2
    monkeypatch.setenv("UNDERSTUDY_ENDPOINT_TOKEN", "s3cret")
    result = understudy.adopt(endpoint, rows, task="claims", target="pay", workspace=tmp_path)
    check_adopted(result, tmp_path, "adopted-endpoint")
    assert {asked["token"] for asked in Answering.asked} == {"Bearer s3cret"}
    assert "s3cret" not in Path(result.report).read_text()


def test_an_endpoint_that_stays_down_is_an_error_that_names_it(rows: Path, tmp_path: Path, endpoint: str) -> None:
    Answering.failures = 99
    with pytest.raises(ModelError, match=r"127\.0\.0\.1.*gave no prediction .status 503"):
        understudy.adopt(endpoint, rows, task="claims", target="pay", workspace=tmp_path)


def test_a_model_that_fails_on_dirty_rows_does_not_pass(rows: Path, tmp_path: Path) -> None:
    skops.io.dump(fitted_pipeline(unknown="error"), tmp_path / "model.skops")
    result = understudy.adopt(str(tmp_path / "model.skops"), rows, task="claims", target="pay", workspace=tmp_path)
    check = next(check for check in result.checks if check.code == "US004")
    assert check.verdict == "fail"
    assert "unknown categories" in check.detail
    assert result.level == "human"


def test_what_cannot_be_adopted_is_refused_in_words(rows: Path, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({}))
    (tmp_path / "model.skops").write_bytes(b"nonsense")
    (tmp_path / "model.onnx").write_bytes(b"nonsense")
    cases = [
        (str(tmp_path / "model.pkl"), InputError, "is a pickle, which runs code"),
        (str(tmp_path / "none.onnx"), InputError, "There is no file"),
        ("scroe", InputError, "is no .onnx or .skops file, no http address and no column"),
        (str(tmp_path / "model.skops"), ModelError, "not a skops file"),
        (str(tmp_path / "model.onnx"), ModelError, "cannot load the model"),
        ("http://ann:secret@127.0.0.1:1/", InputError, "holds a user or password"),
        (Origin("score", classes=("a", "b")), InputError, "answers a, b, but the task's answers are no, yes"),
    ]
    for origin, error, message in cases:
        with pytest.raises(error, match=message):
            understudy.adopt(origin, rows, task="claims", target="pay", workspace=tmp_path)
