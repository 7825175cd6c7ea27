"""The link that makes somebody a retailer's member: signed, good for a week, in nothing but his mail. It is made when
the mail is, so that no job and no log holds it."""

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import INVITATIONS_LAST, RetailerInvitation
from support.mail import servers

_SALT = "support.mail.invitations"


@sensitive_variables()
def link(invitation: RetailerInvitation) -> str:
    # In hexadecimal digits: dashes between letters could make a part of it look like a code.
    token = signing.dumps(invitation.pk, salt=_SALT).encode().hex()
    return f"{settings.SITE_URL.rstrip('/')}{reverse('portal_invitation', args=[token])}"


@sensitive_variables()
def invitation_of(token: str) -> RetailerInvitation | None:
    """None for a link that is forged, too old, used or withdrawn: which, nobody is told."""
    try:
        text = bytes.fromhex(token).decode("ascii")
        pk = signing.loads(text, salt=_SALT, max_age=INVITATIONS_LAST)
    except (ValueError, signing.BadSignature):
        return None
    is_open = RetailerInvitation.objects.filter(accepted_at=None, withdrawn_at=None, expires_at__gt=timezone.now())
    return is_open.select_related("retailer").filter(pk=pk).first()


@sensitive_variables()
def send(invitation_id: int) -> None:
    """At least once; nothing where it was withdrawn or accepted meanwhile. Raises MailServerAwayError."""
    is_open = RetailerInvitation.objects.filter(accepted_at=None, withdrawn_at=None, expires_at__gt=timezone.now())
    invitation = is_open.select_related("retailer").filter(pk=invitation_id).first()
    if invitation is None:
        return
    context = {"invitation": invitation, "link": link(invitation), "days": INVITATIONS_LAST.days}
    mail = EmailMessage(
        f"You are invited to report cards for {invitation.retailer}",
        render_to_string("support/mail/invitation.txt", context),
        to=[invitation.email],
    )
    servers.send(mail, what="An invitation")
