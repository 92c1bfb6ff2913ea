"""A model behind an HTTP endpoint, asked in the shapes that MLflow and KServe speak."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Literal

import httpx
import msgspec
import polars as pl

from understudy.core.errors import InputError, ModelError

TOKEN = "UNDERSTUDY_ENDPOINT_TOKEN"  # noqa: S105  the name of a variable
BATCH_ROWS = 500
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model answers, and how it is asked.

    Attributes
    ----------
    url : str
        An http or https address.
    shape : {"records", "instances"}
        What is sent: `dataframe_records` as MLflow takes them, or `instances` as KServe's V1 protocol does.
    timeout : float
        Seconds to wait for an answer.
    attempts : int
        How often to ask before giving up; the pause doubles from half a second.
    """

    url: str
    shape: Literal["records", "instances"] = "records"
    timeout: float = 10.0
    attempts: int = 3


def check_endpoint(endpoint: Endpoint) -> None:
    """The address is one that can be asked, and holds no secret.

    Raises
    ------
    InputError
        It is not.
    """
    try:
        url = httpx.URL(endpoint.url)
    except httpx.InvalidURL as error:
        raise InputError(f"The address {endpoint.url!r} cannot be read: {error}.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(f"The address {endpoint.url!r} is not one of http or https.")
    if url.userinfo:
        raise InputError("The address holds a user or password.", hint=f"Set {TOKEN} to a bearer token instead.")


def ask(endpoint: Endpoint, frame: pl.DataFrame) -> list[Any]:
    """What the endpoint predicts for each row: numbers, lists, mappings or labels, as it gives them.

    A bearer token is taken from the environment variable UNDERSTUDY_ENDPOINT_TOKEN. Redirects are not followed.

    Raises
    ------
    ModelError
        It does not answer within its attempts, or answers something else than one prediction for each row.
    """
    token = os.environ.get(TOKEN)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answers: list[Any] = []
    with httpx.Client(timeout=endpoint.timeout, headers=headers, follow_redirects=False) as client:
        for batch in frame.iter_slices(BATCH_ROWS):
            rows = msgspec.to_builtins(batch.to_dicts(), builtin_types=())
            answers += predictions(endpoint, post(client, endpoint, rows), batch.height)
    return answers


def post(client: httpx.Client, endpoint: Endpoint, rows: Sequence[Any]) -> httpx.Response:
    """Ask, and ask again after a pause while there is hope."""
    body = {"dataframe_records" if endpoint.shape == "records" else "instances": rows}
    problem = ""
    for attempt in range(endpoint.attempts):
        if attempt:
            time.sleep(0.5 * 2 ** (attempt - 1))
        try:
            response = client.post(
                endpoint.url, content=msgspec.json.encode(body), headers={"Content-Type": "application/json"}
            )
        except httpx.HTTPError as error:
            problem = f"{type(error).__name__}: {error}"
            continue
        if response.is_success:
            return response
        problem = f"status {response.status_code}: {response.text[:200]}"
        if response.status_code not in RETRIED:
            break
    raise ModelError(f"The endpoint {endpoint.url} gave no prediction ({problem}).")


def predictions(endpoint: Endpoint, response: httpx.Response, n: int) -> list[Any]:
    """The list `predictions` of an answer, one for each of n rows."""
    try:
        found = msgspec.json.decode(response.content)["predictions"]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ModelError(
            f"The endpoint {endpoint.url} answered without a list of predictions: {response.text[:200]!r}.",
            hint='It should answer {"predictions": [...]}, as MLflow and KServe do.',
        ) from error
    if not isinstance(found, list) or len(found) != n:
        size = len(found) if isinstance(found, list) else "no list of"
        raise ModelError(f"The endpoint {endpoint.url} answered {size} predictions for {n} rows.")
    return found
