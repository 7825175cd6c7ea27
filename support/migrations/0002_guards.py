"""The audit trail and the tickets’ history are append-only in the database itself."""

from django.db import migrations

from redemption.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("support", "0001_initial"), ("redemption", "0002_guards")]

    operations = [append_only("support_auditevent"), append_only("support_ticketevent")]
