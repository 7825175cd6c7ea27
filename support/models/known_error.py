"""The catalogue of what customers see when a code does not work, and what may be behind it. Managers edit it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from redemption.models import Program
from redemption.refusals import Answer, RefusalReason


class KnownError(models.Model):
    # Null: the same wording at every program.
    program = models.ForeignKey(Program, models.PROTECT, null=True, blank=True, related_name="known_errors")
    wording = models.CharField(max_length=300, help_text="What the customer reads, word for word.")
    # Which of our own answers it is, where it is one.
    answer = models.CharField(max_length=30, choices=Answer, blank=True)
    other_wordings = ArrayField(
        models.CharField(max_length=300),
        default=list,
        blank=True,
        help_text="Older, translated or shortened wordings, one a line.",
    )
    is_active = models.BooleanField(default=True, help_text="Off: no longer recognised, still readable on tickets.")

    class Meta:
        ordering = ["wording", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["program", "wording"],
                nulls_distinct=False,
                name="one_known_error_per_program_and_wording",
                violation_error_code="wording_taken",
                violation_error_message="This program has this wording already.",
            ),
        ]

    def __str__(self) -> str:
        return self.wording


class Cause(models.Model):
    """One thing that may be behind a known error. `reasons` are the refusals by which the checks prove it."""

    known_error = models.ForeignKey(KnownError, models.CASCADE, related_name="causes", db_index=False)
    rank = models.PositiveSmallIntegerField(default=1, help_text="1 is the most frequent.")
    title = models.CharField(max_length=120)
    reasons = ArrayField(models.CharField(max_length=30, choices=RefusalReason), default=list, blank=True)
    question = models.CharField(max_length=300, help_text="What tells this cause apart: ask the customer, or look.")
    remedy = models.CharField(max_length=500, help_text="What puts it right, and who does it.")
    reply = models.TextField(help_text="The answer to send. Variables such as {requester} are filled in.")

    class Meta:
        ordering = ["known_error", "rank", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["known_error", "title"], name="one_cause_per_title"),
        ]

    def __str__(self) -> str:
        return self.title
