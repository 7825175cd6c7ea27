"""Work that takes longer than a page: its progress outlives the page that started it."""

from collections.abc import Sequence

from django.conf import settings
from django.db import models


class JobStatus(models.TextChoices):
    QUEUED = "queued", "Waiting for the worker"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Job(models.Model):
    """How far it is, and in a sentence why it failed. The worker moves it on."""

    status = models.CharField(max_length=10, choices=JobStatus, default=JobStatus.QUEUED)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField()
    message = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
        ordering = ["-pk"]

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0

    def move_to(self, status: JobStatus, *, done: int, message: str = "", also: Sequence[str] = ()) -> None:
        """Saves these, and of the rest the fields that `also` names."""
        self.status, self.done, self.message = status, done, message[:500]
        self.save(update_fields=["status", "done", "message", "updated_at", *also])
