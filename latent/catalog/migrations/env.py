"""What Alembic runs to bring a catalog forward; `upgrade` has given it the connection."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():  # that of the connection
    context.run_migrations()
