"""A list or a figure's rows taken away as a file, made by the worker: its progress outlives the page that asked."""

from django.db import models
from django.db.models import Q

from redemption.models import Job, JobStatus


class ExportFormat(models.TextChoices):
    CSV = "csv", "CSV"
    XLSX = "xlsx", "Excel (XLSX)"


class Export(Job):
    # The list, by its name in support.exports, and the address's query that narrows it.
    what = models.CharField(max_length=40)
    query = models.CharField(max_length=1000, blank=True)
    format = models.CharField(max_length=4, choices=ExportFormat)
    # Not known before the worker has begun.
    total = models.PositiveBigIntegerField(default=0)
    # A random name in private storage; empty before it is made and after it was removed.
    file = models.CharField(max_length=100, blank=True)

    class Meta(Job.Meta):
        constraints = [
            models.CheckConstraint(condition=Q(status__in=JobStatus.values), name="export_status_is_known"),
            models.CheckConstraint(condition=Q(format__in=ExportFormat.values), name="export_format_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.what} as {self.get_format_display()}"
