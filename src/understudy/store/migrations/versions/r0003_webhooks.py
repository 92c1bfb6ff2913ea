"""Webhooks: how far each has been told, and the messages that it has not taken."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

Whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("since", Whole, nullable=False),
        sa.Column("sent", Whole, nullable=False),
        sa.Column("sent_at", Whole),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("error_at", Whole),
        sa.Column("disabled_at", Whole),
        sa.PrimaryKeyConstraint("name", name="pk_webhooks"),
    )
    op.create_table(
        "webhook_marks",
        sa.Column("webhook", sa.String(64), nullable=False),
        sa.Column("task", Whole, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("seq", Whole, nullable=False),
        sa.ForeignKeyConstraint(["webhook"], ["webhooks.name"], name="fk_webhook_marks_webhook"),
        sa.ForeignKeyConstraint(["task"], ["tasks.task"], name="fk_webhook_marks_task"),
        sa.PrimaryKeyConstraint("webhook", "task", "source", name="pk_webhook_marks"),
    )
    op.create_table(
        "webhook_letters",
        sa.Column("webhook", sa.String(64), nullable=False),
        sa.Column("task", Whole, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("seq", Whole, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_at", Whole, nullable=False),
        sa.Column("next_at", Whole, nullable=False),
        sa.Column("dead_at", Whole),
        sa.Column("error", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["webhook"], ["webhooks.name"], name="fk_webhook_letters_webhook"),
        sa.ForeignKeyConstraint(["task"], ["tasks.task"], name="fk_webhook_letters_task"),
        sa.PrimaryKeyConstraint("webhook", "task", "source", "seq", name="pk_webhook_letters"),
    )


def downgrade() -> None:
    for table in ("webhook_letters", "webhook_marks", "webhooks"):
        op.drop_table(table)
