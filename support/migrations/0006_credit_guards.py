"""Credits, their policy and the seals are append-only in the database itself."""

from django.db import migrations

from redemption.append_only import append_only

APPEND_ONLY = [
    "support_manualcredit",
    "support_creditreversal",
    "support_creditpolicy",
    "support_creditlimit",
    "support_creditstop",
    "support_seal",
    "support_sealedrow",
]


class Migration(migrations.Migration):
    dependencies = [("support", "0005_credits"), ("redemption", "0004_request_guards")]

    operations = [append_only(table) for table in APPEND_ONLY]
