"""Ready answers, with what they do to the ticket."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from redemption.models import Program
from support.models.message import MessageKind
from support.models.ticket import Priority, TicketStatus


class Macro(models.Model):
    name = models.CharField(max_length=80, unique=True)
    # Null: for every program.
    program = models.ForeignKey(Program, models.PROTECT, null=True, blank=True, related_name="macros")
    kind = models.CharField(
        max_length=10,
        choices=[(MessageKind.REPLY, "Public reply"), (MessageKind.NOTE, "Internal note")],
        default=MessageKind.REPLY,
    )
    body = models.TextField(help_text="Variables such as {requester} are filled in; one without a value is not sent.")
    status = models.CharField(max_length=20, choices=TicketStatus, blank=True, help_text="Empty: stays as it is.")
    priority = models.PositiveSmallIntegerField(choices=Priority, null=True, blank=True)
    add_tags = ArrayField(models.CharField(max_length=30), default=list, blank=True)
    assigns_to_me = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
