"""A ticket's history: every change, with who made it. Screens read it; nothing rewrites it."""

from django.conf import settings
from django.db import models

from redemption.models.fields import TransactionIdField
from support.models.ticket import Ticket


class TicketEventKind(models.TextChoices):
    OPENED = "opened", "opened the ticket"
    CHANGED = "changed", "changed it"
    ASSIGNED = "assigned", "assigned it"
    MERGED = "merged", "merged it into another ticket"
    UNMERGED = "unmerged", "undid the merge"
    LINKED = "linked", "linked it to another ticket"
    UNLINKED = "unlinked", "removed a link"
    REPLIED = "replied", "answered"
    UNSENT = "unsent", "took an answer back before it was sent"
    MAIL_FAILED = "mail_failed", "could not send an answer by e-mail"


class TicketEvent(models.Model):
    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="events")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=20, choices=TicketEventKind)
    # {field: [before, after]}: enum values, ids and names of staff; never a customer's words.
    changes = models.JSONField(default=dict)
    xact = TransactionIdField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.ticket_id}: {self.kind}"
