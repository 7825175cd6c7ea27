"""allauth's forms, with each guess counted (support.lockout) and in our words."""

from typing import Any

from allauth.account import forms as account
from allauth.account.adapter import get_adapter
from allauth.core import context as current
from allauth.mfa.base import forms as factors
from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.views.decorators.debug import sensitive_variables

from redemption.models import User
from support import lockout, sign_in
from support.lockout import Guess, LockedOutError


class SignUpForm(account.SignupForm):  # type: ignore[misc]
    """Answers alike whether the address is known here or not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].label = "Password (optional)"
        self.fields["password1"].help_text = (
            "At least twelve characters, and nothing that is easy to guess. Without one you sign in by a code that we "
            "mail you each time."
        )
        self.fields["password2"].label = "The password again"

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        adapter, request = get_adapter(), current.request
        try:
            lockout.begin(Guess.SIGN_UP, self.cleaned_data.get("email", ""), adapter.get_client_ip(request))
        except LockedOutError:
            raise adapter.validation_error("too_many_login_attempts") from None
        cleaned: dict[str, Any] = super().clean()
        return cleaned

    @sensitive_variables()
    def _post_clean(self) -> None:
        super()._post_clean()
        if self.account_already_exists and self.cleaned_data.get("password1"):
            # It takes as long as hashing it for somebody new.
            make_password(self.cleaned_data["password1"])

    @sensitive_variables()
    def try_save(self, request: Any) -> tuple[User | None, HttpResponse | None]:
        try:
            with transaction.atomic():
                saved: tuple[User | None, HttpResponse | None] = super().try_save(request)
                return saved
        except IntegrityError:
            # Somebody signed up with the address since it was looked for: it is known by now.
            request.session.pop(sign_in.CHOSEN_PASSWORD, None)
            self.account_already_exists = True
            known: tuple[User | None, HttpResponse | None] = super().try_save(request)
            return known


class ChangePasswordForm(account.ChangePasswordForm):  # type: ignore[misc]
    @sensitive_variables()
    def clean_oldpassword(self) -> str:
        with lockout.guessing(Guess.PASSWORD, self.user.email, current.request, by=self.user):
            old: str = super().clean_oldpassword()
            return old


class RequestCodeForm(account.RequestLoginCodeForm):  # type: ignore[misc]
    """A code is mailed to whoever may sign in by it; the answer is the same for everybody else."""

    def clean_email(self) -> str:
        email: str = super().clean_email()
        user: User | None = self._user  # type: ignore[has-type]
        if user and sign_in.needs_more_than_mail(user) and not _has_factor(user):
            self._user = None
        return email


class SignInCodeForm(account.ConfirmLoginCodeForm):  # type: ignore[misc]
    @sensitive_variables()
    def clean_code(self) -> str:
        login = current.request._login_stage.login
        with lockout.guessing(Guess.MAILED_CODE, login.email or "", current.request, by=login.user):
            code: str = super().clean_code()
            return code


class VerificationCodeForm(account.ConfirmEmailVerificationCodeForm):  # type: ignore[misc]
    @sensitive_variables()
    def clean_code(self) -> str:
        with lockout.guessing(Guess.MAILED_CODE, self.email or "", current.request, by=self.user):
            code: str = super().clean_code()
            return code


class SecondFactorForm(factors.AuthenticateForm):  # type: ignore[misc]
    @sensitive_variables()
    def clean_code(self) -> str:
        with lockout.guessing(Guess.FACTOR, f"user:{self.user.pk}", current.request, by=self.user):
            return _used_now(self.user, super().clean_code())


class SecondFactorAgainForm(factors.ReauthenticateForm):  # type: ignore[misc]
    @sensitive_variables()
    def clean_code(self) -> str:
        with lockout.guessing(Guess.FACTOR, f"user:{self.user.pk}", current.request, by=self.user):
            return _used_now(self.user, super().clean_code())


@sensitive_variables("code")
def _used_now(user: User, code: str) -> str:
    """allauth remembers used codes in each process's own memory, and there are several processes."""
    if not lockout.is_first_use(user, code):
        raise get_adapter().validation_error("incorrect_code")
    return code


def _has_factor(user: User) -> bool:
    factors_of_his = Authenticator.objects.filter(user_id=user.pk)
    return bool(factors_of_his.exclude(type=Authenticator.Type.RECOVERY_CODES).exists())
