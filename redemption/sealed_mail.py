"""Mails whose number, code or link lets somebody in. They leave in the background and are sealed until then: how long
an answer takes tells nobody whether there was a mail, and a mail server that is away stops no page."""

import json
import logging
from datetime import datetime, timedelta

from cryptography.fernet import MultiFernet
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import SealedMail
from redemption.secret_boxes import box

logger = logging.getLogger(__name__)

# Then twice as long each time. Somebody sits and waits for a code.
_FIRST_PAUSE = timedelta(seconds=15)
_LONGEST_PAUSE = timedelta(hours=1)
_KEPT = ("subject", "body", "from_email", "to", "alternatives")


@sensitive_variables()
def post(mail: EmailMultiAlternatives, *, good_for: timedelta, now: datetime | None = None) -> None:
    """Puts a mail without attachments on its way. It leaves once the transaction around has committed, and not at all
    where that is rolled back, or `good_for` has passed. Without a recipient it takes as long, and goes nowhere."""
    from redemption.jobs import send_sealed_mail_job

    text = json.dumps({name: getattr(mail, name) for name in _KEPT} | {"headers": mail.extra_headers})
    with transaction.atomic():
        kept = SealedMail.objects.create(
            sealed=_box().encrypt(text.encode()), expires_at=(now or timezone.now()) + good_for
        )
        send_sealed_mail_job.defer(sealed_mail_id=kept.pk)


@sensitive_variables()
def send(sealed_mail_id: int, *, tries: int, now: datetime | None = None) -> timedelta | None:
    """Sends a mail and destroys its row; None when nothing more is to be done, else how long to wait before trying
    again. At least once: a crash between the two sends the same mail again."""
    now = now or timezone.now()
    kept = SealedMail.objects.filter(pk=sealed_mail_id).first()
    if kept is None:
        return None
    why = "its worker came too late"
    if now < kept.expires_at:
        try:
            EmailMultiAlternatives(**json.loads(_box().decrypt(bytes(kept.sealed)))).send()
        # Whatever a mail server, or a key that is gone, comes up with.
        except Exception as error:
            # Only the error's kind: its text may quote what was sent, and to whom.
            why = type(error).__name__
            logger.warning("Mail %s failed (try %d, %s).", sealed_mail_id, tries + 1, why)
            pause: timedelta = min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE)
            if now + pause < kept.expires_at:
                return pause
        else:
            kept.delete()
            return None
    kept.delete()
    logger.warning("Mail %s is given up (%s).", sealed_mail_id, why)
    return None


def _box() -> MultiFernet:
    return box(b"desk.sealed_mail")
