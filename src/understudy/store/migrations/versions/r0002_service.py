"""The service: cases, what became of them, reviews, outcomes, the queue, losses, and who may come in."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBERED = ("cases", "outcomes", "reviews")
Whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("seq", Whole, nullable=False),
        sa.Column("task", Whole, nullable=False),
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
        sa.ForeignKeyConstraint(["task"], ["tasks.task"], name="fk_cases_task"),
        sa.PrimaryKeyConstraint("seq", name="pk_cases"),
        sa.UniqueConstraint("task", "id", name="uq_cases_task_id"),
    )
    op.create_index("ix_cases_task_received_at", "cases", ["task", "received_at"])
    named = sa.text("subject IS NOT NULL")
    op.create_index("ix_cases_task_subject", "cases", ["task", "subject"], sqlite_where=named, postgresql_where=named)
    op.create_table(
        "inputs",
        sa.Column("seq", Whole, nullable=False),
        sa.Column("salt", sa.LargeBinary(16)),
        sa.Column("body", sa.LargeBinary),
        sa.Column("erased_at", Whole),
        sa.ForeignKeyConstraint(["seq"], ["cases.seq"], name="fk_inputs_seq"),
        sa.PrimaryKeyConstraint("seq", name="pk_inputs"),
    )
    op.create_table(
        "predictions",
        sa.Column("seq", Whole, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("prediction", sa.Text, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("strangeness", sa.Float, nullable=False),
        sa.Column("scores", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["cases.seq"], name="fk_predictions_seq"),
        sa.PrimaryKeyConstraint("seq", "version", name="pk_predictions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outcomes",
        sa.Column("seq", Whole, nullable=False),
        sa.Column("task", Whole, nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("case_seq", Whole),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("observed_at", Whole),
        sa.Column("received_at", Whole, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("result", sa.String(16), nullable=False),
        sa.Column("supersedes", Whole),
        sa.ForeignKeyConstraint(["task"], ["tasks.task"], name="fk_outcomes_task"),
        sa.PrimaryKeyConstraint("seq", name="pk_outcomes"),
    )
    op.create_index("ix_outcomes_task_id_seq", "outcomes", ["task", "id", "seq"])
    op.create_table(
        "reviews",
        sa.Column("seq", Whole, nullable=False),
        sa.Column("task", Whole, nullable=False),
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
        sa.ForeignKeyConstraint(["task"], ["tasks.task"], name="fk_reviews_task"),
        sa.PrimaryKeyConstraint("seq", name="pk_reviews"),
    )
    op.create_index("ix_reviews_case_seq_seq", "reviews", ["case_seq", "seq"])
    op.create_index("ix_reviews_task_user_at", "reviews", ["task", "user", "at"])
    op.create_table(
        "queue",
        sa.Column("case_seq", Whole, nullable=False),
        sa.Column("task", Whole, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("due_at", Whole, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("given", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["task"], ["tasks.task"], name="fk_queue_task"),
        sa.ForeignKeyConstraint(["case_seq"], ["cases.seq"], name="fk_queue_case_seq"),
        sa.PrimaryKeyConstraint("case_seq", name="pk_queue"),
    )
    op.create_index("ix_queue_task_priority_due_at", "queue", ["task", "priority", "due_at"])
    op.create_table(
        "claims",
        sa.Column("case_seq", Whole, nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("opened_at", Whole, nullable=False),
        sa.Column("expires_at", Whole, nullable=False),
        sa.PrimaryKeyConstraint("case_seq", "user", name="pk_claims"),
    )
    op.create_table(
        "inbox",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("seq", Whole, nullable=False),
        sa.Column("task", Whole, nullable=False),
        sa.ForeignKeyConstraint(["task"], ["tasks.task"], name="fk_inbox_task"),
        sa.PrimaryKeyConstraint("kind", "seq", name="pk_inbox"),
    )
    op.create_index("ix_inbox_task", "inbox", ["task"])
    op.create_table(
        "numbers",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("last", Whole, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_numbers"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("fence", Whole, nullable=False),
        sa.Column("expires_at", Whole, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "tokens",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("task", sa.String(64)),
        sa.Column("created_at", Whole, nullable=False),
        sa.Column("expires_at", Whole),
        sa.Column("revoked_at", Whole),
        sa.PrimaryKeyConstraint("hash", name="pk_tokens"),
    )
    op.create_index("ix_tokens_name", "tokens", ["name"])
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("task", sa.String(64)),
        sa.Column("created_at", Whole, nullable=False),
        sa.Column("expires_at", Whole, nullable=False),
        sa.Column("revoked_at", Whole),
        sa.PrimaryKeyConstraint("hash", name="pk_sessions"),
    )
    op.create_table(
        "losses",
        sa.Column("task", Whole, nullable=False),
        sa.Column("n", Whole, nullable=False),
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
        sa.ForeignKeyConstraint(["task"], ["tasks.task"], name="fk_losses_task"),
        sa.PrimaryKeyConstraint("task", "n", name="pk_losses"),
    )
    op.create_index("ix_losses_task_case_seq", "losses", ["task", "case_seq"])
    op.create_index("ix_losses_task_place_n", "losses", ["task", "place", "n"])
    op.create_table(
        "states",
        sa.Column("task", Whole, nullable=False),
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("n", Whole, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", Whole, nullable=False),
        sa.ForeignKeyConstraint(["task"], ["tasks.task"], name="fk_states_task"),
        sa.PrimaryKeyConstraint("task", "name", "version", "epoch", "n", name="pk_states"),
    )
    for name in NUMBERED:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(sa.schema.CreateSequence(sa.Sequence(f"{name}_seq")))
        else:
            op.execute(sa.text("INSERT INTO numbers (name, last) VALUES (:name, 0)").bindparams(name=name))


def downgrade() -> None:
    for table in (
        "states",
        "losses",
        "sessions",
        "tokens",
        "leases",
        "numbers",
        "inbox",
        "claims",
        "queue",
        "reviews",
        "outcomes",
        "predictions",
        "inputs",
        "cases",
    ):
        op.drop_table(table)
