"""Starting an account of a program: which, in what country, and in what currency it is billed."""

from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.db.models.functions import Lower
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods
from django_countries import countries

from redemption.models import Account, Product, Program, User
from redemption.requests import StaffRequest
from redemption.roles import Role
from support import audit
from support.models import AuditAction
from support.pages import see_other


class AccountExistsError(Exception):
    """The program has an account with this address, which is not linked to this person."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be chosen for a program: where its products are sold, and in what."""

    program: Program
    countries: tuple[str, ...]
    currencies: tuple[str, ...]


class WhereForm(forms.Form):
    country = forms.ChoiceField(help_text="Where you live: codes are sold for one country, or for several.")
    currency = forms.ChoiceField(help_text="What you are billed in. Codes with an amount have a currency, too.")

    def __init__(self, *data: object, offer: Offer) -> None:
        super().__init__(*data)  # type: ignore[arg-type]
        named = sorted((str(countries.name(code)), code) for code in offer.countries)
        self.fields["country"].choices = [(code, name) for name, code in named]  # type: ignore[attr-defined]
        self.fields["currency"].choices = [(code, code) for code in offer.currencies]  # type: ignore[attr-defined]


@cache_control(no_store=True)
@require_http_methods(["GET", "HEAD", "POST"])
def start_account(request: StaffRequest) -> HttpResponse:
    if request.user.role != Role.CUSTOMER:
        raise Http404
    offers = offers_for(request.user)
    slug = (request.POST if request.method == "POST" else request.GET).get("program", "")
    if not slug:
        return render(request, "customers/start.html", {"offers": offers})
    chosen = next((offer for offer in offers if offer.program.slug == slug), None)
    if chosen is None:
        if request.user.accounts.filter(program__slug=slug).exists():
            # Sent twice.
            return see_other(reverse("customer_account"))
        raise Http404
    form = WhereForm(request.POST if request.method == "POST" else None, offer=chosen)
    if form.is_valid():
        try:
            account = start(chosen.program, **form.cleaned_data, by=request.user)
        except AccountExistsError:
            form.add_error(
                None,
                "There is an account with this address, which is not linked to your sign-in yet. Verify your address "
                "on the account page, and it will be; or contact support.",
            )
        else:
            messages.success(request, f"Your {account.program} account is started.")
            return see_other(reverse("redeem"))
    return render(
        request,
        "customers/start.html",
        {"offers": offers, "chosen": chosen, "form": form},
        status=422 if form.errors else 200,
    )


def offers_for(user: User) -> list[Offer]:
    """Programs with products, but for those that he has an account of. Two queries."""
    products = Product.objects.exclude(program__accounts__user=user).select_related("program")
    sold: dict[Program, tuple[set[str], set[str]]] = {}
    for product in products.order_by("program__name", "pk"):
        places, currencies = sold.setdefault(product.program, (set(), set()))
        places.update(product.countries)
        if product.currency:
            currencies.add(product.currency)
    everywhere = set(countries.countries)
    return [
        Offer(program, tuple(sorted(places or everywhere)), tuple(sorted(currencies)))
        for program, (places, currencies) in sold.items()
    ]


def start(program: Program, *, country: str, currency: str, by: User) -> Account:
    """His account of the program: the one that he has, where he has one with his address. Raises AccountExistsError
    where it is not his."""
    is_verified = EmailAddress.objects.filter(user_id=by.pk, email=by.email.lower(), verified=True).exists()
    try:
        with transaction.atomic():
            account = Account.objects.create(
                program=program, user=by, email=by.email, email_verified=is_verified, country=country, currency=currency
            )
            audit.record(AuditAction.ACCOUNT_STARTED, by=by, target=f"account:{account.pk}")
    except IntegrityError:
        # Two clicks at once, or an account that the platform has told us of: the database lets one address in once.
        there = Account.objects.select_related("program").alias(lower_email=Lower("email"))
        existing = there.filter(program=program, lower_email=by.email.lower(), user=by).first()
        if existing is None:
            raise AccountExistsError from None
        return existing
    return account
