"""What somebody asked for stays as it was asked; only its status moves, once."""

from django.db import migrations

GUARDS = """
CREATE TRIGGER request_rewrite BEFORE UPDATE ON redemption_approvalrequest
    FOR EACH ROW WHEN (OLD.status <> 'pending' OR to_jsonb(OLD) - 'status' IS DISTINCT FROM to_jsonb(NEW) - 'status')
    EXECUTE FUNCTION redemption_refuse_rewrite('a request is decided once and never changed: ask anew');
CREATE TRIGGER request_removal BEFORE DELETE ON redemption_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION redemption_refuse_change();
CREATE TRIGGER request_truncation BEFORE TRUNCATE ON redemption_approvalrequest
    FOR EACH STATEMENT EXECUTE FUNCTION redemption_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("redemption", "0003_credits")]

    operations = [
        migrations.RunSQL(
            GUARDS,
            "DROP TRIGGER request_rewrite ON redemption_approvalrequest;"
            " DROP TRIGGER request_removal ON redemption_approvalrequest;"
            " DROP TRIGGER request_truncation ON redemption_approvalrequest;",
        )
    ]
