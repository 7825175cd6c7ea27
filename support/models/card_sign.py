"""Batches and runs of serial numbers whose cards are tried, and refused, unlike others of their program. Raised by a
nightly job, with the numbers that raised them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from redemption.models import Batch


class CardSignKind(models.TextChoices):
    ALREADY_REDEEMED = "already_redeemed", "“Already redeemed” unusually often"
    NOT_ACTIVATED = "not_activated", "Tried before they were sold"


class CardSignState(models.TextChoices):
    OPEN = "open", "Open"
    DISMISSED = "dismissed", "Nothing to it"
    REPORTED = "reported", "Reported"


class CardSign(models.Model):
    """`tried` cards of the `cards` between the two serial numbers were refused so in the days `since` to `until`, where
    `expected` would be usual; `chance` is how likely that many are if nothing is wrong."""

    kind = models.CharField(max_length=20, choices=CardSignKind)
    batch = models.ForeignKey(Batch, models.PROTECT, related_name="signs")
    first_serial = models.BigIntegerField()
    last_serial = models.BigIntegerField()
    # The whole batch, or a run of it.
    is_run = models.BooleanField()
    cards = models.PositiveIntegerField()
    tried = models.PositiveIntegerField()
    tries = models.PositiveIntegerField()
    expected = models.FloatField()
    chance = models.FloatField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    raised_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=CardSignState, default=CardSignState.OPEN)
    judged_at = models.DateTimeField(null=True)
    judged_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    report = models.ForeignKey("support.CompromiseReport", models.PROTECT, null=True, related_name="signs")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "batch", "is_run", "first_serial"],
                condition=Q(state=CardSignState.OPEN),
                name="a_sign_is_open_once",
            ),
            models.CheckConstraint(condition=Q(last_serial__gte=F("first_serial")), name="sign_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(state=CardSignState.OPEN, judged_at=None, judged_by=None)
                | ~Q(state=CardSignState.OPEN) & Q(judged_at__isnull=False, judged_by__isnull=False),
                name="judged_signs_say_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.first_serial}–{self.last_serial}"
