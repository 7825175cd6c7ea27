"""Empties the database between transactional tests: the one thing that may lift the guards, as the tables' owner."""

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.management.commands.flush import Command as Flush
from django.db import connections

from tests.owner import owner_cursor

KEPT = {"django_migrations"}


class Command(Flush):
    def handle(self, **options: Any) -> None:
        connection = connections[options["database"]]
        tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
        with owner_cursor() as cursor, cursor.connection.transaction():
            # Most tests write to few of them.
            cursor.execute(
                " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in sorted(tables))
            )
            filled = [table for (table,) in cursor.fetchall()]
            for table in filled:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            # Foreign keys are checked when the transaction ends, and then nothing is left to refer to.
            for table in filled:
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for table in filled:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        # Django remembers the ids of content types for the life of the process.
        ContentType.objects.clear_cache()
