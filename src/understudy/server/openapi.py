"""OpenAPI 3.1, generated from the route table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import msgspec

from understudy.server.table import Route
from understudy.server.web import ErrorBody

REF = "#/components/schemas/{name}"
ERRORS = {
    400: "The request cannot be read.",
    401: "No valid token or session.",
    403: "The role may not do this.",
    404: "There is no such thing.",
    405: "The path has no such method; Allow lists those that it has.",
    409: "It contradicts what is recorded.",
    410: "It was erased.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    421: "The server does not answer for this host.",
    422: "What was sent has faults; all are listed.",
    429: "Too many attempts.",
    500: "A fault of the server.",
    503: "Not now: try again after Retry-After seconds.",
}


def document(routes: Sequence[Route]) -> bytes:
    """The whole interface."""
    kinds = [kind for route in routes for kind in (route.body, route.query, route.answer, route.several)]
    types = [kind for kind in kinds if kind is not None]
    _, components = msgspec.json.schema_components(
        [*dict.fromkeys(types), ErrorBody], schema_hook=any_value, ref_template=REF
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = operation(route, components)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Understudy", "version": metadata.version("understudy")},
            "security": [{"token": []}],
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer"},
                    "session": {"type": "apiKey", "in": "cookie", "name": "understudy"},
                    "basic": {"type": "http", "scheme": "basic"},
                },
            },
        }
    )


def any_value(_: type) -> dict[str, Any]:
    """The schema of `object`."""
    return {"description": "Any value."}


def operation(route: Route, components: dict[str, Any]) -> dict[str, Any]:
    """One route."""
    found: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub('[^a-z]+', '_', route.path)}".rstrip("_"),
        "summary": route.summary,
        "description": roles_text(route),
        "parameters": [*path_parameters(route), *query_parameters(route, components)],
        "responses": responses(route),
    }
    if not route.roles:
        found["security"] = []
    if route.basic:
        found["security"] = [{"token": []}, {"basic": []}]
    if route.form:
        form = {"type": "object", "additionalProperties": {"type": "string"}}
        found["requestBody"] = {"required": False, "content": {"application/x-www-form-urlencoded": {"schema": form}}}
    if route.body is not None:
        schema = {"$ref": REF.format(name=route.body.__name__)}
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found


def roles_text(route: Route) -> str:
    """Who may call."""
    return f"For: {', '.join(sorted(route.roles))}." if route.roles else "For anybody."


def path_parameters(route: Route) -> list[dict[str, Any]]:
    """The parts of the path."""
    names = re.findall(r"{(\w+)}", route.path)
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in names
    ]


def query_parameters(route: Route, components: dict[str, Any]) -> list[dict[str, Any]]:
    """What may stand behind the question mark."""
    if route.query is None:
        return []
    properties = components[route.query.__name__]["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in properties.items()]


def responses(route: Route) -> dict[str, Any]:
    """What may be answered."""
    good: dict[str, Any] = {"description": route.summary}
    if route.answer is not None:
        kinds = [kind for kind in (route.answer, route.several) if kind is not None]
        found = [{"$ref": REF.format(name=kind.__name__)} for kind in kinds]
        good["content"] = {"application/json": {"schema": found[0] if len(found) == 1 else {"anyOf": found}}}
    failed: dict[str, Any] = {"application/json": {"schema": {"$ref": REF.format(name="ErrorBody")}}}
    if route.method == "GET" or route.form:
        failed["text/html"] = {"schema": {"type": "string"}}
    code = "303" if route.form else str(route.status)
    return {code: good} | {str(status): {"description": text, "content": failed} for status, text in ERRORS.items()}
