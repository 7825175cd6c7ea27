"""Tables whose rows stay as they were written. The refusing function comes with redemption's migration 0002."""

from django.db import migrations


def append_only(table: str) -> migrations.RunSQL:
    """The triggers that keep a table's rows as they were written."""
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION redemption_refuse_change();
        CREATE TRIGGER append_only_table BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION redemption_refuse_change();
        """,
        f"""
        DROP TRIGGER append_only_rows ON {table};
        DROP TRIGGER append_only_table ON {table};
        """,
    )
