"""Guesses in the texts of retailers' people are counted too."""

from django.db import migrations, models

_SCOPES = [
    ("account", "Attempts of an account"),
    ("address", "Attempts from an address"),
    ("program", "Attempts at a program"),
    ("agent", "An agent's look-ups that found nothing"),
    ("api_key", "Requests with a key"),
    ("retailer", "What may be guesses at codes, in texts of a retailer's people"),
]


class Migration(migrations.Migration):
    dependencies = [("redemption", "0006_sales_taken_back")]

    operations = [
        migrations.AlterField("throttle", "scope", models.CharField(choices=_SCOPES, max_length=10)),
    ]
