"""Times at which redeeming did not work, or was switched off."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from redemption.models.program import Program


class OutageCause(models.TextChoices):
    SWITCHED_OFF = "switched_off", "Switched off"
    BREAKER = "breaker", "The breaker tripped"


class Outage(models.Model):
    """A program's, until `ended_at`; one at a time. `message` stands on /status."""

    program = models.ForeignKey(Program, models.PROTECT, related_name="outages")
    cause = models.CharField(max_length=20, choices=OutageCause)
    message = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField()
    # The breaker's are ended when nothing has failed for a while: this is when something last did.
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint("program", condition=Q(ended_at=None), name="one_outage_at_a_time"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None)
                | Q(ended_at__isnull=False, ended_by__isnull=False, ended_at__gte=F("started_at")),
                name="ended_outages_say_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.program}: {self.started_at:%-d %B %Y, %H:%M}"
