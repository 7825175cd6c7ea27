"""A customer finds what he wrote."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("support", "0011_customers")]

    operations = [
        migrations.AddIndex(
            "message",
            models.Index(
                fields=["author", "-id"],
                name="message_customers_own",
                condition=Q(kind="customer", author__isnull=False),
            ),
        ),
    ]
