"""The tables. Times are microseconds since 1970 UTC; JSON that is hashed is stored as the bytes that were hashed.

Rows are only ever added, except in `tasks`, `heads`, `leases`, `tokens`, `sessions` and `numbers`, which change, in
`inputs` and `snapshots`, whose content can be erased, and in `queue`, `claims`, `inbox` and the tables of webhooks,
which are work in progress.
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
    sa.Column("purged_at", Whole),
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
    sa.Column("body", sa.LargeBinary, nullable=False),
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

HAS_SUBJECT = sa.text("subject IS NOT NULL")
"""Most tasks name no person; an index that holds nothing costs nothing."""

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("seq", Whole, primary_key=True, autoincrement=False),
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), nullable=False),
    sa.Column("id", sa.String(200), nullable=False),
    sa.Column("received_at", Whole, nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    sa.Column("subject", sa.LargeBinary(32)),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("level", sa.String(16), nullable=False),
    sa.Column("version", sa.String(64)),
    sa.Column("arm_propensity", sa.Float, nullable=False),
    sa.Column("unit", sa.LargeBinary(32)),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("review_kind", sa.String(16), nullable=False),
    sa.Column("review_propensity", sa.Float, nullable=False),
    sa.Column("blind", sa.Boolean, nullable=False),
    sa.Column("decision", sa.Text),
    sa.Column("decided_by", sa.String(16)),
    sa.Column("confidence", sa.Float),
    sa.Column("strangeness", sa.Float),
    sa.UniqueConstraint("task", "id"),
    sa.Index(None, "task", "received_at"),
    sa.Index(None, "task", "subject", sqlite_where=HAS_SUBJECT, postgresql_where=HAS_SUBJECT),
)

inputs = sa.Table(
    "inputs",
    metadata,
    sa.Column("seq", Whole, sa.ForeignKey("cases.seq"), primary_key=True, autoincrement=False),
    sa.Column("salt", sa.LargeBinary(16)),
    sa.Column("body", sa.LargeBinary),
    sa.Column("erased_at", Whole),
)

predictions = sa.Table(
    "predictions",
    metadata,
    sa.Column("seq", Whole, sa.ForeignKey("cases.seq"), primary_key=True, autoincrement=False),
    sa.Column("version", sa.String(64), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("prediction", sa.Text, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("strangeness", sa.Float, nullable=False),
    sa.Column("scores", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

outcomes = sa.Table(
    "outcomes",
    metadata,
    sa.Column("seq", Whole, primary_key=True, autoincrement=False),
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), nullable=False),
    sa.Column("id", sa.String(200), nullable=False),
    sa.Column("case_seq", Whole),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("observed_at", Whole),
    sa.Column("received_at", Whole, nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("result", sa.String(16), nullable=False),
    sa.Column("supersedes", Whole),
    sa.Index(None, "task", "id", "seq"),
)

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("seq", Whole, primary_key=True, autoincrement=False),
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), nullable=False),
    sa.Column("case_seq", Whole, nullable=False),
    sa.Column("user", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("value", sa.Text),
    sa.Column("blind", sa.Boolean, nullable=False),
    sa.Column("shown_version", sa.String(64)),
    sa.Column("note", sa.Text),
    sa.Column("opened_at", Whole),
    sa.Column("at", Whole, nullable=False),
    sa.Column("supersedes", Whole),
    sa.Index(None, "case_seq", "seq"),
    sa.Index(None, "task", "user", "at"),
)

queue = sa.Table(
    "queue",
    metadata,
    sa.Column("case_seq", Whole, sa.ForeignKey("cases.seq"), primary_key=True, autoincrement=False),
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("due_at", Whole, nullable=False),
    sa.Column("wanted", sa.Integer, nullable=False),
    sa.Column("given", sa.Integer, nullable=False),
    sa.Index(None, "task", "priority", "due_at"),
)

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("case_seq", Whole, primary_key=True, autoincrement=False),
    sa.Column("user", sa.String(200), primary_key=True),
    sa.Column("opened_at", Whole, nullable=False),
    sa.Column("expires_at", Whole, nullable=False),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("seq", Whole, primary_key=True, autoincrement=False),
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), nullable=False),
    sa.Index(None, "task"),
)

numbers = sa.Table(
    "numbers",
    metadata,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("last", Whole, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(200), nullable=False),
    sa.Column("fence", Whole, nullable=False),
    sa.Column("expires_at", Whole, nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("task", sa.String(64)),
    sa.Column("created_at", Whole, nullable=False),
    sa.Column("expires_at", Whole),
    sa.Column("revoked_at", Whole),
    sa.Index(None, "name"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("task", sa.String(64)),
    sa.Column("created_at", Whole, nullable=False),
    sa.Column("expires_at", Whole, nullable=False),
    sa.Column("revoked_at", Whole),
)

losses = sa.Table(
    "losses",
    metadata,
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), primary_key=True),
    sa.Column("n", Whole, primary_key=True, autoincrement=False),
    sa.Column("case_seq", Whole, nullable=False),
    sa.Column("version", sa.String(64), nullable=False),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("label", sa.Text),
    sa.Column("loss", sa.Float),
    sa.Column("propensity", sa.Float, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("strangeness", sa.Float, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("eligible", sa.Boolean, nullable=False),
    sa.Column("automated", sa.Boolean, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("at", Whole, nullable=False),
    sa.Column("place", Whole, nullable=False),
    sa.Index(None, "task", "case_seq"),
    sa.Index(None, "task", "place", "n"),
)

states = sa.Table(
    "states",
    metadata,
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), primary_key=True),
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("version", sa.String(64), primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", Whole, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("at", Whole, nullable=False),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("since", Whole, nullable=False),
    sa.Column("sent", Whole, nullable=False),
    sa.Column("sent_at", Whole),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("error_at", Whole),
    sa.Column("disabled_at", Whole),
)

webhook_marks = sa.Table(
    "webhook_marks",
    metadata,
    sa.Column("webhook", sa.String(64), sa.ForeignKey("webhooks.name"), primary_key=True),
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), primary_key=True),
    sa.Column("source", sa.String(16), primary_key=True),
    sa.Column("seq", Whole, nullable=False),
)

webhook_letters = sa.Table(
    "webhook_letters",
    metadata,
    sa.Column("webhook", sa.String(64), sa.ForeignKey("webhooks.name"), primary_key=True),
    sa.Column("task", Whole, sa.ForeignKey("tasks.task"), primary_key=True),
    sa.Column("source", sa.String(16), primary_key=True),
    sa.Column("seq", Whole, primary_key=True, autoincrement=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("first_at", Whole, nullable=False),
    sa.Column("next_at", Whole, nullable=False),
    sa.Column("dead_at", Whole),
    sa.Column("error", sa.Text, nullable=False),
)
