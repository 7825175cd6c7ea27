"""What an invoice says cannot change; only a due one is settled, once."""

from django.db import migrations

_INVOICE = """
CREATE TRIGGER invoice_rewrite BEFORE UPDATE ON redemption_invoice
    FOR EACH ROW WHEN (OLD.status <> 'due' OR OLD.account_id <> NEW.account_id OR OLD.reference <> NEW.reference
        OR OLD.starts_on <> NEW.starts_on OR OLD.ends_on <> NEW.ends_on OR OLD.plan <> NEW.plan
        OR OLD.currency <> NEW.currency OR OLD.price <> NEW.price OR OLD.from_credit <> NEW.from_credit
        OR OLD.due <> NEW.due OR OLD.at <> NEW.at)
    EXECUTE FUNCTION redemption_refuse_rewrite('what an invoice says cannot change');
CREATE TRIGGER invoice_stays BEFORE DELETE ON redemption_invoice
    FOR EACH ROW EXECUTE FUNCTION redemption_refuse_change();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON redemption_invoice
    FOR EACH STATEMENT EXECUTE FUNCTION redemption_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("redemption", "0008_customers")]

    operations = [
        migrations.RunSQL(
            _INVOICE,
            "DROP TRIGGER invoice_rewrite ON redemption_invoice; DROP TRIGGER invoice_stays ON redemption_invoice;"
            " DROP TRIGGER append_only_table ON redemption_invoice;",
        ),
    ]
