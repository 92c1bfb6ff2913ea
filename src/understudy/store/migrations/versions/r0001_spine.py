"""Tasks, snapshots, models, deployments and events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

Whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def of_task(table: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint]:
    name = f"fk_{table}_task"
    return sa.Column("task", Whole, nullable=False), sa.ForeignKeyConstraint(["task"], ["tasks.task"], name=name)


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("task", Whole, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("secret", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("task", name="pk_tasks"),
        sa.UniqueConstraint("name", name="uq_tasks_name"),
    )
    op.create_table(
        "task_revisions",
        *of_task("task_revisions"),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("at", Whole, nullable=False),
        sa.PrimaryKeyConstraint("task", "revision", name="pk_task_revisions"),
    )
    op.create_table(
        "snapshots",
        *of_task("snapshots"),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("rows", Whole, nullable=False),
        sa.Column("at", Whole, nullable=False),
        sa.Column("purged_at", Whole),
        sa.PrimaryKeyConstraint("task", "digest", name="pk_snapshots"),
    )
    op.create_table(
        "models",
        *of_task("models"),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("snapshot", sa.String(64), nullable=False),
        sa.Column("seed", Whole, nullable=False),
        sa.Column("served", sa.String(16), nullable=False),
        sa.Column("passed", sa.Boolean, nullable=False),
        sa.Column("environment", sa.LargeBinary, nullable=False),
        sa.Column("beside", sa.LargeBinary, nullable=False),
        sa.Column("at", Whole, nullable=False),
        sa.PrimaryKeyConstraint("task", "version", name="pk_models"),
    )
    op.create_table(
        "deployments",
        *of_task("deployments"),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("champion", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("event", Whole, nullable=False),
        sa.PrimaryKeyConstraint("task", "revision", name="pk_deployments"),
    )
    op.create_table(
        "heads",
        *of_task("heads"),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("event_seq", Whole, nullable=False),
        sa.Column("event_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("task", name="pk_heads"),
    )
    op.create_table(
        "events",
        *of_task("events"),
        sa.Column("seq", Whole, nullable=False),
        sa.Column("at", Whole, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("task", "seq", name="pk_events"),
    )
    op.create_index("ix_events_kind_at", "events", ["kind", "at"])


def downgrade() -> None:
    for table in ("events", "heads", "deployments", "models", "snapshots", "task_revisions", "tasks"):
        op.drop_table(table)
