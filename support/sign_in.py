"""Signing in: who may start an account, what is recorded, and how allauth's pages come to look like the desk."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.app_settings import REAUTHENTICATION_TIMEOUT
from allauth.account.authentication import get_authentication_records
from allauth.core import context
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
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from redemption.models import User
from support import landing
from support.audit import record
from support.models import AuditAction


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Closed: people are added by an administrator."""
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Each to the page that is theirs: the desk exists for staff only."""
        assert isinstance(request.user, User)
        return landing.first_page(request.user) or reverse("mfa_index")

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """Records the sign-in before the session's cookie goes out: if it cannot be recorded, nobody is signed in."""
        record(AuditAction.SIGNED_IN, by=user)
        if kwargs["redirect_url"] == resolve_url(settings.LOGIN_REDIRECT_URL):
            # The bare address was opened, which is sent here as if the desk had been asked for.
            kwargs["redirect_url"] = self.get_login_redirect_url(request)
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response

    @sensitive_variables()
    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Nothing that was typed is kept: some type their password where the address belongs."""
        super().authentication_failed(request, **credentials)
        tried = User.objects.filter(email__iexact=str(credentials.get("email", ""))[:254]).first()
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
            did = "password" if context.request.user == user else "password_by_mail"
            record(AuditAction.SIGN_IN_CHANGED, by=user, did=did)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Not within minutes of signing in: who is sent from there to set a factor up has just typed the password."""
        records = get_authentication_records(context.request, context.request.user)
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
        return _factor_cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _factor_cipher().decrypt(encrypted_text.encode()).decode()


def _factor_cipher() -> MultiFernet:
    """Under SECRET_KEY; after its rotation SECRET_KEY_FALLBACKS still opens what the old one closed."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet(
        [
            Fernet(urlsafe_b64encode(blake2b(key.encode(), person=b"desk.factor", digest_size=32).digest()))
            for key in keys
        ]
    )


def end_sessions(person: User) -> None:
    """What a page of his still shows is not posted any more."""
    for session in UserSession.objects.filter(user_id=person.pk):
        session.end()


def look_of_the_desk(request: HttpRequest) -> dict[str, Any]:
    """Context processor: colours and form classes of the admin's theme, for the pages that allauth renders itself."""
    match = request.resolver_match
    return admin.site.each_context(request) if match and match.route.startswith("accounts/") else {}


# --- Second factors: allauth tells of them by signals only


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
