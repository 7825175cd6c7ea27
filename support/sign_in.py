"""Signing in and up: who may, what is recorded, and what the sign-in pages do otherwise than allauth would."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.app_settings import REAUTHENTICATION_TIMEOUT
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import EmailAddress
from allauth.account.signals import email_confirmed
from allauth.account.stages import EmailVerificationStage
from allauth.core import context as current
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import (
    authentication_failed,
    authenticator_added,
    authenticator_removed,
    authenticator_reset,
)
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sites.shortcuts import get_current_site
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from redemption import sealed_mail
from redemption.models import User
from redemption.roles import STAFF_ROLES, Role
from redemption.secret_boxes import box
from support import landing, lockout
from support.audit import record
from support.linking import link_accounts
from support.lockout import Guess, LockedOutError
from support.models import AuditAction

# A new customer's password, until his address is verified; and how long it may wait.
CHOSEN_PASSWORD = "password_until_verified"  # noqa: S105
_WAITS_AT_MOST = 30 * 60
# Mails that anybody can have sent to any address.
_ASKED_FOR = {
    f"account/email/{name}"
    for name in (
        *("login_code", "password_reset_key", "unknown_account", "account_already_exists"),
        *("email_confirmation", "email_confirmation_signup"),
    )
}
# For how long a mail is tried. Links work for longer, but whoever waits for one has asked again by then.
_CODES_ARE_TRIED = timedelta(seconds=settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT)
_OTHERS_ARE_TRIED = timedelta(days=1)


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "This address and this password do not belong together.",
        "incorrect_code": "This code is not right, or it is too old.",
        "incorrect_password": "This password is not right.",
        "too_many_login_attempts": (
            f"Too many tries: this one was not looked at. Wait {settings.SIGN_IN_WINDOW_MINUTES} minutes, or sign in "
            "in another way. A new password, set by mail, works at once."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """For customers, whatever the form says: staff are added by an administrator, members are invited."""
        return True

    @sensitive_variables()
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """A new customer, without a password: the chosen one waits in his session until he has shown that the address
        is his. Else whoever signs up with another person's address would share the sign-in with him once he verifies
        it, and would learn before, by signing in, that nobody had it."""
        super().save_user(request, user, form, commit=False)
        if user.has_usable_password():
            request.session[CHOSEN_PASSWORD] = {"email": user.email, "hash": user.password, "at": time.time()}
        user.set_unusable_password()
        user.role = Role.CUSTOMER
        with transaction.atomic():
            user.save()
            record(AuditAction.SIGN_IN_CHANGED, by=user, did="signed_up")
        return user

    @sensitive_variables()
    def login(self, request: HttpRequest, user: User) -> None:
        """A mailed code alone does not open what is staff's or a retailer's: whoever reads the mail would be in."""
        known_by = {entry["method"] for entry in get_authentication_records(request, user)}
        if needs_more_than_mail(user) and not known_by & {"password", "mfa"}:
            clear_login(request)
            raise ImmediateHttpResponse(redirect("account_login"))
        if not known_by:
            # Who has just signed up has shown a code from his mail.
            record_authentication(request, user, method="code", email=user.email)
        chosen = request.session.pop(CHOSEN_PASSWORD, None)
        if (
            chosen
            and chosen["email"] == user.email
            and time.time() - chosen["at"] < _WAITS_AT_MOST
            and not user.has_usable_password()
        ):
            user.password = chosen["hash"]
            with transaction.atomic():
                user.save(update_fields=["password"])
                record(AuditAction.SIGN_IN_CHANGED, by=user, did="password")
        super().login(request, user)

    def get_login_stages(self) -> list[str]:
        stages: list[str] = super().get_login_stages()
        verifies = "allauth.account.stages.EmailVerificationStage"
        return [f"{__name__}.VerifiesWhoSignsUp" if stage == verifies else stage for stage in stages]

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Each to the page that is theirs: the desk exists for staff only. A new customer has to start an account."""
        assert isinstance(request.user, User)
        if request.user.role == Role.CUSTOMER and not request.user.accounts.exists():
            return reverse("start_account")
        return landing.first_page(request.user) or reverse("mfa_index")

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        return self.get_login_redirect_url(request)

    def get_email_verification_redirect_url(self, email_address: EmailAddress) -> str:
        assert isinstance(self.request.user, User)
        is_customer = self.request.user.role == Role.CUSTOMER and self.request.user.accounts.exists()
        return reverse("customer_account") if is_customer else self.get_login_redirect_url(self.request)

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """Records the sign-in before the session's cookie goes out: if it cannot be recorded, nobody is signed in."""
        record(AuditAction.SIGNED_IN, by=user)
        # Also such as a platform has told us of since.
        link_accounts(user)
        if kwargs["redirect_url"] == resolve_url(settings.LOGIN_REDIRECT_URL):
            # The bare address was opened, which is sent here as if the desk had been asked for.
            kwargs["redirect_url"] = self.get_login_redirect_url(request)
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response

    @sensitive_variables()
    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Counted before it is checked, and given back when it was right."""
        address = str(credentials.get("email", ""))
        try:
            tried = lockout.begin(Guess.PASSWORD, address, self.get_client_ip(request))
        except LockedOutError:
            raise self.validation_error("too_many_login_attempts") from None
        user: User | None = super().authenticate(request, **credentials)
        if user:
            tried.give_back()
        else:
            lockout.failed(tried, Guess.PASSWORD, by=_tried_for(address))
        return user

    @sensitive_variables()
    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """What anybody may ask for is sent so often and no more; the answer in the browser is the same. It leaves in
        the background; with an address that nobody has here as much is done, and nobody gets a mail."""
        request = current.request
        if (
            template_prefix in _ASKED_FOR
            # An administrator sends many people their links.
            and not (request.user.is_authenticated and request.user.is_staff)
            and not lockout.may_mail(email, self.get_client_ip(request))
        ):
            return
        context = {"request": request, "email": email, "current_site": get_current_site(request), **context}
        mail = self.render_mail(template_prefix, email, context)
        if template_prefix == "account/email/unknown_account":
            mail.to = []
        sealed_mail.post(mail, good_for=_CODES_ARE_TRIED if "code" in context else _OTHERS_ARE_TRIED)

    @sensitive_variables()
    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Nothing that was typed is kept: some type their password where the address belongs."""
        super().authentication_failed(request, **credentials)
        tried = _tried_for(str(credentials.get("email", "")))
        record(
            AuditAction.SIGN_IN_FAILED,
            by=tried or User.objects.system(),
            personal=f"from {self.get_client_ip(request)}",
            known=int(tried is not None),
            # The password is asked for once more before it or a second factor is changed.
            **({"did": "confirming"} if request.user.is_authenticated else {}),
        )

    def logout(self, request: HttpRequest) -> None:
        assert isinstance(request.user, User)
        with transaction.atomic():
            record(AuditAction.SIGNED_OUT, by=request.user)
            super().logout(request)

    @sensitive_variables("password")
    def set_password(self, user: Any, password: str) -> None:
        """By oneself: by the form, or by a link from a mail, while nobody is signed in."""
        with transaction.atomic():
            super().set_password(user, password)
            did = "password" if current.request.user == user else "password_by_mail"
            record(AuditAction.SIGN_IN_CHANGED, by=user, did=did)
            lockout.lift(Guess.PASSWORD, user.email)
            # Whoever else knew the old one is out, wherever he is signed in.
            end_sessions(user, but=current.request.session.session_key)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Not within minutes of signing in: who is sent from there to set a factor up has just typed the password."""
        records = get_authentication_records(current.request, current.request.user)
        if records and time.time() - records[-1]["at"] < REAUTHENTICATION_TIMEOUT:
            return False
        required: bool = super().is_reauthentication_required(app=app, **kwargs)
        return required

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """The password alone confirms nothing for staff and retailers' members who have a second factor, least of all
        its removal."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        by_factor = [method for method in methods if method["id"].startswith("mfa_")]
        return by_factor if by_factor and (user.is_staff or user.memberships.exists()) else methods


class VerifiesWhoSignsUp(EmailVerificationStage):
    """Whoever signs up types the code from his mail first, also where the address is known here: the answer to both is
    the same. Who has signed in before may look around with an address that is not verified; redeeming asks for it."""

    def handle(self) -> tuple[HttpResponse | None, bool]:
        if not self.login.signup:
            return None, True
        handled: tuple[HttpResponse | None, bool] = super().handle()
        return handled


def needs_more_than_mail(user: User) -> bool:
    """Whether a mailed code alone must not sign this person in."""
    return user.role in STAFF_ROLES or user.memberships.exists()


@sensitive_variables()
def _tried_for(address: str) -> User | None:
    return User.objects.filter(email__iexact=address[:254]).first()


class SessionsAdapter(DefaultUserSessionsAdapter):
    def end_sessions(self, sessions: Any) -> None:
        """From the list of one's own."""
        sessions = list(sessions)
        with transaction.atomic():
            super().end_sessions(sessions)
            if sessions:
                record(AuditAction.SIGN_IN_CHANGED, by=sessions[0].user, did="sessions_ended", sessions=len(sessions))


class MfaAdapter(DefaultMFAAdapter):
    """Keeps authenticator secrets encrypted: whoever steals the database cannot make their codes."""

    def encrypt(self, text: str) -> str:
        return box(b"desk.factor").encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return box(b"desk.factor").decrypt(encrypted_text.encode()).decode()


def end_sessions(person: User, *, but: str | None = None) -> None:
    """What a page of his still shows is not posted any more; `but`: the key of the one that goes on."""
    for session in UserSession.objects.filter(user_id=person.pk).exclude(session_key=but or ""):
        session.end()


# --- Verified addresses and second factors: allauth tells of them by signals only


def _verified(sender: object, request: HttpRequest, email_address: EmailAddress, **kwargs: Any) -> None:
    with transaction.atomic():
        record(AuditAction.SIGN_IN_CHANGED, by=email_address.user, did="verified")
        link_accounts(email_address.user)


email_confirmed.connect(_verified, dispatch_uid="audit and link: address verified")


def _factor_failed(sender: object, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    record(AuditAction.SIGN_IN_FAILED, by=user, did="second_factor", factor=authenticator.type)


def _factor_changed(did: str) -> Callable[..., None]:
    def changed(sender: object, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
        record(AuditAction.SIGN_IN_CHANGED, by=user, did=did, factor=authenticator.type)

    return changed


authentication_failed.connect(_factor_failed, dispatch_uid="audit: second factor failed")
for _signal, _did in (
    (authenticator_added, "factor_added"),
    (authenticator_removed, "factor_removed"),
    (authenticator_reset, "factor_renewed"),
):
    _signal.connect(_factor_changed(_did), weak=False, dispatch_uid=f"audit: {_did}")
