"""The mail that confirms an address, and the end of all sessions."""

from datetime import timedelta

from allauth.account.internal.flows.email_verification import send_verification_email_for_user
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from redemption import throttle
from redemption.models import ThrottleScope
from redemption.requests import StaffRequest
from support import audit
from support.customers.signed_in import is_confirmed
from support.models import AuditAction
from support.pages import see_other
from support.sign_in import end_sessions


@require_POST
def send_verification(request: StaffRequest) -> HttpResponse:
    """Once more, to one's own address; as often as the setting says, and then nothing is sent."""
    place = f"{reverse('customer_account')}#sign-in"
    if is_confirmed(request):
        messages.info(request, "Your e-mail address is confirmed already.")
        return see_other(place)
    limit = throttle.Limit(settings.VERIFICATIONS_PER_CUSTOMER, timedelta(hours=1))
    if throttle.hit(ThrottleScope.CUSTOMER, f"mail:{request.user.pk}", limit, timezone.now()):
        messages.warning(
            request,
            "The message was sent several times in this hour. Look into the spam folder too, or try again later.",
        )
        return see_other(place)
    send_verification_email_for_user(request, request.user)
    # It holds a code, which that page takes.
    return see_other(reverse("account_email_verification_sent"))


@require_POST
def end_all_sessions(request: StaffRequest) -> HttpResponse:
    """Everywhere, here too."""
    user = request.user
    with transaction.atomic():
        end_sessions(user)
        audit.record(AuditAction.SIGN_IN_CHANGED, by=user, did="all_sessions_ended")
        # Also where the list did not have this one.
        logout(request)
    messages.success(request, "You are signed out everywhere. Sign in again to go on.")
    return see_other(reverse("account_login"))
