from alembic import context

from understudy.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="understudy_version",
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
