"""What customers write to support is counted, where it may be a guess at a code."""

from django.db import migrations, models

_SCOPES = [
    ("account", "Attempts of an account"),
    ("address", "Attempts from an address"),
    ("program", "Attempts at a program"),
    ("agent", "An agent's look-ups that found nothing"),
    ("api_key", "Requests with a key"),
    ("sign_in", "Failed sign-ins with an address, and from one"),
    ("retailer", "What may be guesses at codes, in texts of a retailer's people"),
    ("customer", "What a customer writes to support, and has mailed to himself"),
]


class Migration(migrations.Migration):
    dependencies = [("redemption", "0010_webhook_rests")]

    operations = [
        migrations.AlterField("throttle", "scope", models.CharField(choices=_SCOPES, max_length=10)),
    ]
