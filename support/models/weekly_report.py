"""That somebody was sent the report of a week: nobody gets it twice."""

from django.conf import settings
from django.db import models


class WeeklyReport(models.Model):
    # The Monday of the week that it is about.
    week = models.DateField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    sent_at = models.DateTimeField()

    class Meta:
        ordering = ["week", "person"]
        constraints = [
            models.UniqueConstraint(fields=["person", "week"], name="one_report_per_person_and_week"),
        ]

    def __str__(self) -> str:
        return f"{self.week} to {self.person_id}"
