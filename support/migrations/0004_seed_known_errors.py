"""A new installation knows what customers see when a code does not work."""

from typing import Any

from django.db import migrations

from support import catalogue


def load(apps: Any, schema_editor: Any) -> None:
    catalogue.load(apps.get_model("support", "KnownError"), apps.get_model("support", "Cause"))


class Migration(migrations.Migration):
    dependencies = [("support", "0003_desk_hours")]

    # Undoing it leaves them: tickets may name them.
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
