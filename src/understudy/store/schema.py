"""The tables. Rows are only ever added, except in `tasks` and `heads`; times are microseconds since 1970 UTC.

JSON that is hashed is stored as the bytes that were hashed.
"""

from __future__ import annotations

import sqlalchemy as sa

Whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("task", Whole, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("secret", sa.LargeBinary(32), nullable=False),
)

task_revisions = sa.Table(
    "task_revisions",
    metadata,
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("at", Whole, nullable=False),
)

snapshots = sa.Table(
    "snapshots",
    metadata,
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("rows", Whole, nullable=False),
    sa.Column("at", Whole, nullable=False),
)

models = sa.Table(
    "models",
    metadata,
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), primary_key=True),
    sa.Column("version", sa.String(64), primary_key=True),
    sa.Column("recipe", sa.String(64), nullable=False),
    sa.Column("snapshot", sa.String(64), nullable=False),
    sa.Column("seed", Whole, nullable=False),
    sa.Column("served", sa.String(16), nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("environment", sa.LargeBinary, nullable=False),
    sa.Column("beside", sa.LargeBinary, nullable=False),
    sa.Column("at", Whole, nullable=False),
)

deployments = sa.Table(
    "deployments",
    metadata,
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("level", sa.String(16), nullable=False),
    sa.Column("champion", sa.String(64), nullable=False),
    sa.Column("event", Whole, nullable=False),
)

heads = sa.Table(
    "heads",
    metadata,
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("event_seq", Whole, nullable=False),
    sa.Column("event_hash", sa.String(64), nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), primary_key=True),
    sa.Column("seq", Whole, primary_key=True),
    sa.Column("at", Whole, nullable=False),
    sa.Column("actor", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index(None, "kind", "at"),
)
