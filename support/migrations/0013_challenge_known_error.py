"""Customers may be asked for a number by mail: what support says of it."""

from typing import Any

from django.db import migrations, models

from support import catalogue


def load(apps: Any, schema_editor: Any) -> None:
    catalogue.load(apps.get_model("support", "KnownError"), apps.get_model("support", "Cause"))


class Migration(migrations.Migration):
    dependencies = [("support", "0012_customers_messages")]

    operations = [
        migrations.AlterField(
            model_name="knownerror",
            name="answer",
            field=models.CharField(
                blank=True,
                choices=[
                    (
                        "code_not_valid",
                        "This code is not valid. Check every character, and that the card was sold in the country of your account.",  # noqa: E501
                    ),
                    (
                        "already_redeemed",
                        "This code was redeemed before. If the card was new, go to its seller with the receipt.",
                    ),
                    ("redeemed_by_you", "You redeemed this code yourself. Its benefit is on your account."),
                    (
                        "plan_not_allowed",
                        "This code does not work with your plan. Change the plan, or give the code to somebody else.",
                    ),
                    (
                        "new_subscribers_only",
                        "This offer is for accounts that never had premium. Yours did; a gift card works.",
                    ),
                    (
                        "too_much_time",
                        "Your account has premium for a long time ahead already. Keep the code for later.",
                    ),
                    ("too_many_attempts", "Too many codes were tried. Wait a day, then try again."),
                    ("account_restricted", "Your account cannot redeem codes at present. Contact support."),
                    ("email_unverified", "Confirm your e-mail address first; we can send you the message again."),
                    (
                        "location_differs",
                        "You appear to be in another country than your account's. Turn off any VPN and try again.",
                    ),
                    (
                        "billed_elsewhere",
                        "Your subscription is billed by another company. End it there, or let it run out; then redeem.",
                    ),
                    (
                        "check_the_code",
                        "There is a slip in this code. Compare it with the card, character by character.",
                    ),
                    ("share_link", "This is a link for sharing music, not a code to redeem."),
                    ("unavailable", "Redeeming does not work at this moment. Nothing was used up; try again later."),
                    (
                        "challenge_required",
                        "Very many codes are being tried at this moment. Show that it is you, with a number that we mail you.",  # noqa: E501
                    ),
                ],
                max_length=30,
            ),
        ),
        # Undoing it leaves it: tickets may name it.
        migrations.RunPython(load, migrations.RunPython.noop),
    ]
