"""A desk begins with usual hours and targets. Its managers change them; nothing brings them back."""

from datetime import time

from django.db import migrations

# Priority → minutes of opening hours to the first response, and to the resolution.
TARGETS = {4: (60, 480), 3: (240, 960), 2: (480, 1920), 1: (960, 3840)}


def fill(apps, schema_editor):
    hours, target = apps.get_model("support", "OpeningHours"), apps.get_model("support", "Target")
    hours.objects.bulk_create(hours(weekday=day, opens=time(8), closes=time(20)) for day in range(5))
    target.objects.bulk_create(
        target(priority=priority, first_response=first_response, resolution=resolution)
        for priority, (first_response, resolution) in TARGETS.items()
    )


class Migration(migrations.Migration):
    dependencies = [("support", "0002_guards")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=False)]
