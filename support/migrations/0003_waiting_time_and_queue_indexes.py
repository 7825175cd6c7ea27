import datetime

import django.contrib.postgres.indexes
import django.core.validators
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("redemption", "0002_guards"),
        ("support", "0002_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="ticket",
            name="ticket_due",
        ),
        migrations.AddField(
            model_name="ticket",
            name="waited",
            field=models.DurationField(default=datetime.timedelta, editable=False),
        ),
        migrations.AlterField(
            model_name="target",
            name="first_response",
            field=models.PositiveIntegerField(
                help_text="Minutes of opening hours.", validators=[django.core.validators.MaxValueValidator(100000)]
            ),
        ),
        migrations.AlterField(
            model_name="target",
            name="resolution",
            field=models.PositiveIntegerField(
                help_text="Minutes of opening hours, not counting those spent waiting.",
                validators=[django.core.validators.MaxValueValidator(100000)],
            ),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(
                condition=models.Q(("merged_into", None)), fields=["next_deadline", "id"], name="ticket_due"
            ),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(
                condition=models.Q(("merged_into", None)),
                fields=["-priority", "next_deadline", "id"],
                name="ticket_urgent",
            ),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=django.contrib.postgres.indexes.GinIndex(fields=["tags"], name="ticket_tags"),
        ),
    ]
