"""What was written on a ticket, by the customer, to the customer, and among us."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from support.models.ticket import Ticket


class MessageKind(models.TextChoices):
    """Label, and the sentence that the writing box says before it is sent."""

    CUSTOMER = "customer", "Customer"
    REPLY = "reply", "Public reply"
    NOTE = "note", "Internal note"


class MailState(models.TextChoices):
    NONE = "none", "Not by e-mail"
    QUEUED = "queued", "On its way"
    SENT = "sent", "Sent by e-mail"
    FAILED = "failed", "E-mail could not be sent"


class Message(models.Model):
    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="messages", db_index=False)
    kind = models.CharField(max_length=10, choices=MessageKind)
    # Staff, or the customer where signed in; null: a customer known by name and address only.
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False)
    author_name = models.CharField(max_length=150, blank=True)
    # Redacted before it came here: no codes, no payment cards.
    body = models.TextField()
    # What a mail repeats of the thread; shown folded.
    quoted = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)
    # The page's own key: sending a form twice makes one message.
    send_key = models.CharField(max_length=40, null=True, unique=True)
    # The Message-ID header, of mails received and sent; one mail delivered twice is one message.
    mail_id = models.CharField(max_length=250, null=True, unique=True)
    mail_state = models.CharField(max_length=10, choices=MailState, default=MailState.NONE)
    # Until then it can be taken back; the mail leaves afterwards.
    undo_until = models.DateTimeField(null=True)
    search = models.GeneratedField(
        expression=SearchVector("body", config="simple"), output_field=SearchVectorField(), db_persist=True
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=MessageKind.values), name="message_kind_is_known"),
            models.CheckConstraint(
                condition=Q(kind=MessageKind.CUSTOMER) | Q(author__isnull=False), name="staff_messages_have_an_author"
            ),
            models.CheckConstraint(
                condition=Q(kind=MessageKind.REPLY) | Q(mail_state=MailState.NONE), name="only_replies_are_mailed"
            ),
        ]
        indexes = [
            # The thread.
            models.Index(fields=["ticket", "id"], name="message_thread"),
            # What a customer wrote while signed in: his requests.
            models.Index(
                fields=["author", "-id"],
                name="message_customers_own",
                condition=Q(kind=MessageKind.CUSTOMER, author__isnull=False),
            ),
            # The omnibox's words.
            GinIndex(fields=["search"], name="message_words"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class Draft(models.Model):
    """What somebody is writing. One per ticket, person and kind; it survives the session's end."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="drafts", db_index=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=[(MessageKind.REPLY, "Reply"), (MessageKind.NOTE, "Note")])
    body = models.TextField(blank=True)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["ticket", "person", "kind"], name="one_draft_per_ticket_person_and_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.person_id}"


class Presence(models.Model):
    """Who has a ticket open, and who writes on it; older than some seconds, it means nothing."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="presences", db_index=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_index=False)
    is_typing = models.BooleanField(default=False)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["ticket", "person"], name="one_presence_per_ticket_and_person")]

    def __str__(self) -> str:
        return f"{self.person_id} on {self.ticket_id}"
