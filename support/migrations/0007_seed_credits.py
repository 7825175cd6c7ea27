"""A new installation can grant small credits; its managers set limits of their own."""

from typing import Any

from django.conf import settings
from django.db import migrations
from django.utils import timezone

from support import credit_defaults


def load(apps: Any, schema_editor: Any) -> None:
    reasons = apps.get_model("support", "CreditReason")
    for slug, name, proof, needs_approval, description in credit_defaults.REASONS:
        reasons.objects.create(
            slug=slug, name=name, proof=proof, needs_approval=needs_approval, description=description
        )
    policy = apps.get_model("support", "CreditPolicy").objects.create(
        made_at=timezone.now(), reason="The limits that the product comes with."
    )
    limits = apps.get_model("support", "CreditLimit")
    limits.objects.bulk_create(
        limits(policy=policy, **fields) for fields in credit_defaults.first_limits(settings.CURRENCIES)
    )


class Migration(migrations.Migration):
    dependencies = [("support", "0006_credit_guards")]

    # Undoing it leaves them: credits may name them.
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
