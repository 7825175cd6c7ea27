"""The desk's forms."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django_countries import countries
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from redemption.models import BillingProvider, Code, Plan, Program
from support.diagnosis import Hypothetical
from support.search import account_named

# Beyond, expiries and periods run out of the calendar.
FARTHEST_DAY = timedelta(days=36_525)


class AccountForm(forms.Form):
    """Names an account of one program. Posted: an e-mail address must not stand in an address."""

    account = forms.CharField(
        label="E-mail address or reference",
        max_length=300,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "spellcheck": "false", "placeholder": "AC-…"}),
    )

    def __init__(self, *args: Any, program: Program, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.program = program

    def clean_account(self) -> Any:
        account = account_named(self.cleaned_data["account"], program=self.program)
        if not account:
            raise forms.ValidationError(f"{self.program} has no such account: at another service this code is unknown.")
        return account


class HypotheticalForm(forms.Form):
    """An account as it might be, and a day. Says nothing of a person, so it may stand in an address."""

    country = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    plan = forms.ChoiceField(choices=Plan.choices, widget=UnfoldAdminSelectWidget)
    billing = forms.ChoiceField(label="Billed by", choices=BillingProvider.choices, widget=UnfoldAdminSelectWidget)
    had_premium = forms.BooleanField(label="Ever had premium", required=False, widget=UnfoldBooleanWidget)
    day = forms.DateField(label="On", required=False, widget=UnfoldAdminTextInputWidget({"type": "date"}))

    def __init__(self, *args: Any, code: Code, **kwargs: Any) -> None:
        self.code = code
        own = code.batch.product.countries
        kwargs["initial"] = {"country": own[0], "billing": BillingProvider.DIRECT}
        super().__init__(*args, **kwargs)
        # The card's own countries first: they are asked about most.
        every = sorted(countries, key=lambda country: country.code not in own)
        self.fields["country"].choices = [(country.code, country.name) for country in every]  # type: ignore[attr-defined]

    def clean_day(self) -> date | None:
        day: date | None = self.cleaned_data["day"]
        if day and abs(day - timezone.now().date()) > FARTHEST_DAY:
            raise forms.ValidationError("Choose a day within a hundred years.")
        return day

    def hypothetical(self) -> Hypothetical:
        return Hypothetical(
            country=self.cleaned_data["country"],
            plan=Plan(self.cleaned_data["plan"]),
            billing_provider=BillingProvider(self.cleaned_data["billing"]),
            had_premium=self.cleaned_data["had_premium"],
        )

    def moment(self, now: datetime) -> datetime:
        """Noon of the day that was chosen, at the program; now where none was."""
        day = self.cleaned_data.get("day") if self.is_valid() else None
        return datetime.combine(day, time(12), self.code.batch.product.program.zone) if day else now
