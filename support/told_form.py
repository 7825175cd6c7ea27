"""What is told of compromised cards besides which they are, in the portal's form and the desk's. How the fields look is
each form's own."""

import re
import uuid
from datetime import datetime, timedelta, tzinfo

from django import forms
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from support.actions.reports import LONGEST, TEXTS, Told
from support.models import CompromiseKind

LONGEST_NOTE = 5_000
KINDS = [("", "Choose…"), *CompromiseKind.choices]
# Without what was sent, which may be anything.
CHOOSE = {"invalid_choice": "Choose one of the list.", "required": "Choose one of the list."}
MOMENTS = ("sold_at", "discovered_at")
# Telephones' clocks go wrong by minutes.
_SLACK = timedelta(minutes=5)
# Longer than any code, and kept.
_KEY = re.compile(r"[0-9a-f]{32}")


def new_key() -> str:
    return uuid.uuid4().hex


def text_field(name: str, label: str, widget: forms.Widget) -> forms.CharField:
    return forms.CharField(label=label, max_length=LONGEST[name], required=False, widget=widget)


def moment_field(label: str, widget: forms.Widget) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label, required=False, widget=widget, error_messages={"invalid": "Write a day and a time."}
    )


def only_moment(typed: str) -> str:
    """As a browser sends it; "" for all else, which may be anything."""
    return typed if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", typed, re.ASCII) else ""


class KeyedForm(forms.Form):
    """Sent twice, it does once what it asks for. The key holds nothing but what new_key() gives."""

    send_key = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)

    def clean_send_key(self) -> str:
        typed: str = self.cleaned_data["send_key"]
        return typed if _KEY.fullmatch(typed) else new_key()


class ToldForm(KeyedForm):
    """Needs the fields of Told, and `clock`: times are as on the wall where they are typed."""

    clock: tzinfo

    @sensitive_variables()
    def full_clean(self) -> None:
        with timezone.override(self.clock):
            super().full_clean()

    def clean_sold_at(self) -> datetime | None:
        return self._not_in_the_future("sold_at")

    def clean_discovered_at(self) -> datetime | None:
        return self._not_in_the_future("discovered_at")

    def _not_in_the_future(self, name: str) -> datetime | None:
        found: datetime | None = self.cleaned_data[name]
        if found and found > timezone.now() + _SLACK:
            raise forms.ValidationError("This is in the future.")
        if found and found.year < 2000:
            raise forms.ValidationError("This is too long ago.")
        return found

    @sensitive_variables()
    def clean(self) -> None:
        sold, discovered = (self.cleaned_data.get(name) for name in MOMENTS)
        if sold and discovered and sold > discovered:
            self.add_error("discovered_at", "This is before the sale.")

    @property
    def told(self) -> Told:
        data = self.cleaned_data
        given = {name: data[name] for name in (*TEXTS, *MOMENTS, "customer_present")}
        return Told(kind=CompromiseKind(data["kind"]), **given)
