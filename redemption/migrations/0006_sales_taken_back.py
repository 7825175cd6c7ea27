"""What a card is cannot change, but that a sale was taken back: then it forgets when it was sold."""

from django.db import migrations

_TRIGGER = """
DROP TRIGGER code_rewrite ON redemption_code;
CREATE TRIGGER code_rewrite BEFORE UPDATE ON redemption_code
    FOR EACH ROW WHEN (OLD.serial <> NEW.serial OR OLD.batch_id <> NEW.batch_id OR OLD.last_four <> NEW.last_four
        OR (OLD.digest <> NEW.digest AND NEW.key_version <> OLD.key_version + 1)
        OR OLD.activated_at IS DISTINCT FROM NEW.activated_at AND OLD.activated_at IS NOT NULL{exception})
    EXECUTE FUNCTION redemption_refuse_rewrite('what a card is cannot change');
"""
# 1 active, 0 inactive.
_TAKEN_BACK = "\n        AND NOT (OLD.status = 1 AND NEW.status = 0 AND NEW.activated_at IS NULL)"


class Migration(migrations.Migration):
    dependencies = [("redemption", "0005_retailers")]

    operations = [
        migrations.RunSQL(_TRIGGER.format(exception=_TAKEN_BACK), _TRIGGER.format(exception="")),
    ]
