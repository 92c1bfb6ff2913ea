"""What a process that decides knows of a task: the deployment that it last saw, with its models loaded."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import msgspec

from understudy.autonomy.groups import divided, group_of
from understudy.core.canonical import canonical
from understudy.core.errors import Fault, UnderstudyError
from understudy.core.nouns import Deployment
from understudy.core.task import Task
from understudy.core.task_file import parse_task
from understudy.data.conditions import Conditions, compile_conditions
from understudy.data.reading import canonical_schema
from understudy.flows.reasons import Explainer
from understudy.flows.version import Manifest, Version, load_version
from understudy.flows.workspace import Workspace
from understudy.store.registry import current, list_versions
from understudy.store.tasks import read_task

Scalar = str | int | float | bool | None
MOST_TEXT = 100_000


@dataclass
class Library:
    """The versions that a process has loaded, and why others could not be."""

    work: Workspace
    versions: dict[str, Version] = field(default_factory=dict)
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    explainers: dict[str, Explainer] = field(default_factory=dict)

    def get(self, task: str, version: str) -> Version | None:
        """A version, loaded once; None where it cannot be loaded, with the reason in `broken`."""
        if version and version not in self.versions:
            try:
                self.versions[version] = load_version(self.work, task, version)
                self.broken.pop(version, None)
            except UnderstudyError as error:
                self.broken[version] = error.message
        return self.versions.get(version)

    def labels_of(self, version: str) -> tuple[str, ...]:
        """The answers of a version in the order of its scores; the version need not be loaded."""
        if version not in self.labels:
            manifest = msgspec.json.decode(self.work.artifacts.get(version), type=Manifest)
            self.labels[version] = manifest.labels
        return self.labels[version]


@dataclass(frozen=True)
class Head:
    """A task as it stands: frozen, so that a batch is decided under one deployment.

    Attributes
    ----------
    number : int
    secret : bytes
        The key of the task's draws and hashes.
    task : Task
        The task file that holds.
    deployed : Deployment
    library : Library
    champion : Version, optional
    challengers : tuple of Version
    reader : Version, optional
        The version whose contract the inputs must keep: the champion, or the newest where there is none.
    labels : tuple of str
        The answers that may be given; empty for numbers, and while no version tells them.
    limits, nevers, rules : Conditions
    """

    number: int
    secret: bytes
    task: Task
    deployed: Deployment
    library: Library
    champion: Version | None
    challengers: tuple[Version, ...]
    reader: Version | None
    limits: Conditions
    nevers: Conditions
    rules: Conditions

    @property
    def name(self) -> str:
        """The task's name."""
        return self.task.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The answers that may be given; empty for numbers, and while no version tells them."""
        return () if self.reader is None else self.reader.manifest.labels

    @cached_property
    def quick(self) -> bool:
        """Whether every model answers from memory within microseconds, and the store is a file of this machine."""
        versions = (*self.challengers, *((self.champion,) if self.champion else ()))
        compiled = all(version.manifest.served == "onnx" for version in versions)
        return compiled and not self.trouble and self.library.work.store.single

    @property
    def trouble(self) -> str:
        """Why the champion cannot answer; empty where it can."""
        return self.library.broken.get(self.deployed.champion, "") if self.champion is None else ""

    def read(self, inputs: Mapping[str, object]) -> tuple[list[Any], dict[str, Any], tuple[Fault, ...]]:
        """A case's values for the models, its inputs in canonical form, and every fault."""
        if self.reader is None:
            plain, faults = read_plain(inputs)
            return [], plain, faults
        values, faults = self.reader.read(inputs)
        found = {name: value for name, value in zip(self.reader.inputs, values, strict=True) if value is not None}
        others = inputs.keys() - self.columns
        if others:
            beside, more = read_plain({name: inputs[name] for name in others})
            found |= {name: value for name, value in beside.items() if value is not None}
            faults = (*faults, *more)
        return values, found, faults

    def subject_of(self, inputs: Mapping[str, object]) -> bytes | None:
        """The keyed hash of the person whom a case is about."""
        column = self.task.decision.subject
        value = None if column is None else inputs.get(column)
        return None if value is None else hash_subject(self.secret, str(value))

    @cached_property
    def columns(self) -> frozenset[str]:
        """The names of the columns that the models read."""
        return frozenset(() if self.reader is None else self.reader.inputs)

    @cached_property
    def allow(self) -> frozenset[str]:
        """The answers that the machine may give by itself; empty where it may give any."""
        return frozenset(self.task.mandate.allow)

    def outside(self, rows: Sequence[Mapping[str, object]], now: int) -> list[tuple[str, ...]]:
        """For each case why it lies outside the mandate, whatever the answer; empty where it lies inside."""
        expired = ("mandate_expired",) if self.expired(now) else ()
        if not (self.limits.expressions or self.nevers.expressions):
            return [expired] * len(rows)
        found = []
        for limits, nevers in zip(self.limits.hold(rows), self.nevers.hold(rows), strict=True):
            limit = () if all(held is True for held in limits) else ("mandate_limit",)
            never = () if all(held is False for held in nevers) else ("mandate_never",)
            found.append((*expired, *limit, *never))
        return found

    def ruled(self, rows: Sequence[Mapping[str, object]]) -> list[str | None]:
        """What the rules of today answer to each case; None where there are none, or none holds."""
        rules = self.task.today.rules
        if not rules:
            return [None] * len(rows)
        holds = self.rules.hold(rows)
        return [next((rule.then for rule, held in zip(rules, row, strict=True) if held), None) for row in holds]

    def groups(self, rows: Sequence[Mapping[str, object]]) -> list[str]:
        """For each case its group, as it is settled; empty where the promise is for all cases together."""
        if not divided(self.task):
            return [""] * len(rows)
        return [group_of(self.task, msgspec.json.decode(canonical(row))) for row in rows]

    def expired(self, now: int) -> bool:
        """Whether the mandate's last day has passed, in UTC."""
        last = self.task.mandate.expires
        return last is not None and datetime.fromtimestamp(now / 1e6, UTC).date() > date.fromisoformat(last)


def hash_subject(secret: bytes, subject: str) -> bytes:
    """The keyed hash under which a person's cases are found."""
    return hmac.digest(secret, b"subject\0" + subject.encode(), "sha256")


def read_plain(inputs: Mapping[str, object]) -> tuple[dict[str, Scalar], tuple[Fault, ...]]:
    """Inputs that no model reads: single values only.

    >>> read_plain({"a": 1, "b": [2]})[1][0].where
    'b'
    """
    faults = []
    plain: dict[str, Scalar] = {}
    for name, value in inputs.items():
        if not isinstance(value, Scalar) or (isinstance(value, str) and len(value) > MOST_TEXT):
            faults.append(Fault(where=str(name)[:80], found=repr(value)[:80], expected="a single value"))
        else:
            plain[name] = value
    return plain, tuple(faults)


def load_head(library: Library, name: str) -> Head:
    """The task as it stands now, with its models loaded.

    Raises
    ------
    NotFoundError
        The store knows no such task.
    """
    with library.work.store.reading() as connection:
        record = read_task(connection, name)
        deployed = current(connection, record.number)
        newest = "" if deployed.champion else next((v.version for v in list_versions(connection, record.number)), "")
    task = parse_task(record.body.decode(), file=f"tasks/{name}.toml")
    champion = library.get(name, deployed.champion)
    found = (library.get(name, version) for version in deployed.challengers)
    reader = champion or library.get(name, newest)
    schema = {} if reader is None else canonical_schema(reader.contract)
    return Head(
        number=record.number,
        secret=record.secret,
        task=task,
        deployed=deployed,
        library=library,
        champion=champion,
        challengers=tuple(version for version in found if version is not None),
        reader=reader,
        limits=compile_conditions(task.mandate.limit, schema),
        nevers=compile_conditions(task.mandate.never, schema),
        rules=compile_conditions([rule.when for rule in task.today.rules], schema),
    )
