"""The page that an invitation's link opens. Who has no sign-in makes one here; who has one signs in with it first."""

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from redemption.models import RetailerInvitation, User
from support.actions import members
from support.actions.members import InvitationOverError, MemberError
from support.mail.invitations import invitation_of
from support.pages import see_other
from support.told_back import GuessError

_OVER = (
    "This link does not work any more",
    "It is older than a week, was used before, or was withdrawn. Ask whoever invited you to send the invitation again. "
    "If you have joined already, sign in.",
)


class SignUpForm(forms.Form):
    name = forms.CharField(
        label="Your name",
        max_length=150,
        widget=forms.TextInput({"autocomplete": "name"}),
        help_text="Reports and answers carry it.",
    )
    password = forms.CharField(
        max_length=128,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text="At least twelve characters, and nothing that is easy to guess.",
    )
    again = forms.CharField(
        label="The password again",
        max_length=128,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )

    @sensitive_variables()
    def clean(self) -> None:
        password, again = self.cleaned_data.get("password"), self.cleaned_data.get("again")
        if password and again and password != again:
            self.add_error("again", "The two passwords are not the same.")


@login_not_required
@cache_control(no_store=True)
@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    found = invitation_of(token)
    if found is None:
        return _sentence(request, *_OVER, status=404)
    try:
        if request.user.is_authenticated:
            return _accept(request, request.user, found)
        known = User.objects.filter(email__iexact=found.email).first()
        if known:
            members.check_may_accept(found, user=known)
            return redirect_to_login(request.path)
        return _sign_up(request, found)
    except InvitationOverError:
        return _sentence(request, *_OVER, status=404)
    except MemberError as refused:
        return _sentence(request, "This invitation is not for you", str(refused), status=409)


def _accept(request: HttpRequest, user: User, found: RetailerInvitation) -> HttpResponse:
    members.check_may_accept(found, user=user)
    if request.method != "POST":
        return render(request, "portal/invitation.html", {"invitation": found, "form": None})
    members.accept(found, user=user)
    messages.success(request, f"You are a member of {found.retailer} now.")
    return see_other(reverse("portal_home"))


@sensitive_variables()
def _sign_up(request: HttpRequest, found: RetailerInvitation) -> HttpResponse:
    form = SignUpForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            user = members.sign_up(found, name=form.cleaned_data["name"], password=form.cleaned_data["password"])
        except ValidationError as weak:
            form.add_error("password", weak)
        except GuessError as refused:
            form.add_error("name", str(refused))
        else:
            login = Login(user=user, redirect_url=reverse("portal_home"))
            response: HttpResponse = perform_password_login(request, {"email": user.email}, login)
            return response
    return render(
        request, "portal/invitation.html", {"invitation": found, "form": form}, status=422 if form.errors else 200
    )


def _sentence(request: HttpRequest, title: str, sentence: str, *, status: int) -> HttpResponse:
    return render(request, "portal/invitation_over.html", {"title": title, "sentence": sentence}, status=status)
