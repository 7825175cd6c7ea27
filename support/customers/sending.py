"""What sending a request and writing on one have in common."""

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.utils import timezone

from redemption import throttle
from redemption.models import ThrottleScope, User
from redemption.requests import StaffRequest
from redemption.roles import STAFF_ROLES
from support.attachments import attach
from support.files_field import SentFile
from support.models import Message, Ticket

MASKED = "What looked like a code, or a payment card’s number, was taken out before it was kept. Never send us codes."


class FloodError(Exception):
    """Nothing was kept; the text says when to go on."""


def count_message(user: User, send_key: str) -> None:
    """One message of his. What is sent a second time is not counted again. Raises FloodError above the limit."""
    if Message.objects.filter(send_key=send_key, author=user).exists():
        return
    limit = throttle.Limit(settings.MESSAGES_PER_CUSTOMER, timedelta(hours=1))
    if throttle.hit(ThrottleScope.CUSTOMER, f"messages:{user.pk}", limit, timezone.now()):
        raise FloodError("You have written very often in this hour: wait a while before you send this.")


def attach_files(request: StaffRequest, ticket: Ticket, message: Message | None, sent: list[SentFile]) -> None:
    """After the message's commit. What is refused is said, and takes nothing else with it. Of a message that was sent
    before nothing is opened anew: that is work, and a repeated message is not counted."""
    if message and message.attachments.exists():
        return
    files, kinds = [one.file for one in sent], [one.kind for one in sent]
    # Staff who ask as customers do need no right to change tickets for it.
    by = None if request.user.role in STAFF_ROLES else request.user
    for number, row in enumerate(attach(ticket=ticket, message=message, files=files, kinds=kinds, by=by), start=1):
        if row.refusal:
            messages.warning(request, f"File {number}: {row.refusal}")
