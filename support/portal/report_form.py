"""What a retailer's people fill in: a report, and what they write about it later.

A form that is shown again holds no code that was typed into it: `again()` takes it out of the fields' own texts.
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption.models import Batch, Retailer
from support.actions.reports import TEXTS
from support.files_field import FilesField
from support.models import Problem
from support.portal.access import Portal
from support.redaction import UNKNOWN_CODE
from support.reported_lines import Line, LinesError, file_lines, typed_lines, typed_problems
from support.ticket_forms import LONGEST_BODY
from support.told_back import GuessError, told_back
from support.told_form import (
    CHOOSE,
    KINDS,
    LONGEST_NOTE,
    MOMENTS,
    ToldForm,
    moment_field,
    new_key,
    only_moment,
    text_field,
)

MOST_LINES_TYPED = 5_000
LARGEST_LIST = 20_000_000
# Of lines that name no card, shown again to be put right.
_MOST_UNREAD = 20


def _line(name: str, label: str) -> forms.CharField:
    return text_field(name, label, forms.TextInput({"autocomplete": "off"}))


def _moment(label: str) -> forms.DateTimeField:
    return moment_field(label, forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"))


class ReportForm(ToldForm):
    clock: ZoneInfo
    retailer = forms.ChoiceField(label="For which retailer?", error_messages=CHOOSE)
    kind = forms.ChoiceField(label="What happened?", choices=KINDS, error_messages=CHOOSE)
    cards = forms.CharField(
        label="Serial numbers",
        required=False,
        help_text="One on each line, typed or scanned; a range as first–last. Never the code under the scratch-off.",
        widget=forms.Textarea(
            {"rows": 5, "autocomplete": "off", "autocapitalize": "off", "autocorrect": "off", "spellcheck": "false",
             "placeholder": "1000000123\n1000000200–1000000299"}
        ),
    )  # fmt: skip
    file = forms.FileField(
        label="Or a file with them",
        required=False,
        help_text="CSV or Excel, up to 100,000 cards, their serial numbers in one column.",
        widget=forms.FileInput({"accept": ".csv,.txt,.xlsx"}),
        error_messages={"empty": "The file is empty."},
    )
    store = _line("store", "Store")
    till = _line("till", "Till")
    sold_at = _moment("Sold at")
    discovered_at = _moment("Discovered at")
    receipt_number = _line("receipt_number", "Number of the activation receipt")
    customer_present = forms.BooleanField(label="The customer is here and waits", required=False)
    police_reference = _line("police_reference", "Police reference")
    note = forms.CharField(
        label="What else should we know?", max_length=LONGEST_NOTE, required=False, widget=forms.Textarea({"rows": 3})
    )
    attachments = FilesField(label="Photos of the packaging and the receipt")
    zone = forms.CharField(max_length=60, required=False, widget=forms.HiddenInput)

    @sensitive_variables("data")
    def __init__(self, data: Any = None, files: Any = None, *, portal: Portal, zone: str, **options: Any) -> None:
        super().__init__(data, files, **options)
        self.portal = portal
        self.clock = _zone(data.get("zone", "") if data else "", zone)
        if len(portal.retailers) == 1:
            del self.fields["retailer"]
        else:
            choices = [("", "Choose…"), *((one.slug, one.name) for one in portal.retailers)]
            self.fields["retailer"].choices = choices  # type: ignore[attr-defined]

    @property
    def chosen_retailer(self) -> Retailer:
        return self.portal.retailer(self.cleaned_data.get("retailer") or self.portal.retailers[0].slug)

    @sensitive_variables()
    def clean_cards(self) -> str:
        typed: str = self.cleaned_data["cards"]
        if typed.count("\n") >= MOST_LINES_TYPED:
            raise forms.ValidationError(f"More than {MOST_LINES_TYPED:,} lines go into a file: send them as CSV.")
        return typed

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file and file.size > LARGEST_LIST:
            raise forms.ValidationError(f"The file has more than {LARGEST_LIST // 1_000_000} MB: divide it.")
        return file

    @sensitive_variables()
    def clean(self) -> None:
        super().clean()
        data = self.cleaned_data
        if {"cards", "file"} & set(self.errors):
            return
        typed, file = data["cards"], data["file"]
        name = "file" if file and not typed else "cards"
        if file and typed:
            self.add_error("cards", "Either type the serial numbers here or choose a file: one report has one list.")
            return
        if not file and not typed:
            self.add_error("cards", "Name the cards: type or scan their serial numbers, or choose a file.")
            return
        try:
            lines = list(file_lines(file) if file else typed_lines(typed))
        except LinesError as refused:
            self.add_error(name, str(refused))
            return
        if not any(line.serial for line in lines):
            self.add_error(name, _nothing(lines))
            return
        data["lines"] = lines

    @property
    def lines(self) -> list[Line]:
        found: list[Line] = self.cleaned_data["lines"]
        return found

    @sensitive_variables()
    def again(self) -> None:
        """To be shown once more: without codes, which is said, and with what else was typed."""
        data: Any = self.data.copy()  # type: ignore[attr-defined]
        slug = data.get("retailer", "")
        of = next((one for one in self.portal.retailers if one.slug == slug), self.portal.retailers[0])
        cards = _Typed(data.get("cards", ""))
        given = {name: data.get(name, "")[:LONGEST_BODY] for name in TEXTS} | {"cards": cards.unread}
        try:
            told = told_back(given, retailer=of, now=timezone.now())
        except GuessError as refused:
            for name in given:
                data[name] = ""
            if str(refused) not in self.non_field_errors():
                self.add_error(None, str(refused))
        else:
            for name, text in told.texts.items():
                data[name] = text
            data["cards"] = cards.with_unread(told.texts["cards"])
            if told.is_masked or cards.has_codes:
                self.add_error(None, "What looked like a code was taken out. Never send us codes.")
        for name in MOMENTS:
            if name in self.errors and not isinstance(self.cleaned_data.get(name), datetime):
                data[name] = only_moment(data.get(name, ""))
        data["zone"] = self.clock.key
        data["send_key"] = new_key()
        self.data = data
        if self.files:
            self.add_error(None, "The files were not kept: choose them again.")


class _Typed:
    """The field of serial numbers. Lines that name cards stay; of the others, `unread` is what may be shown again once
    codes are out of it."""

    @sensitive_variables()
    def __init__(self, text: str) -> None:
        self.lines = text.splitlines() if text.count("\n") < MOST_LINES_TYPED else []
        problems = typed_problems("\n".join(self.lines))
        self.has_codes = Problem.A_CODE in problems.values()
        for number, problem in problems.items():
            if problem == Problem.A_CODE:
                self.lines[number - 1] = UNKNOWN_CODE
        unread = [number for number, problem in problems.items() if problem != Problem.A_CODE]
        for number in unread[_MOST_UNREAD:]:
            self.lines[number - 1] = ""
        self._unread = unread[:_MOST_UNREAD]

    @property
    def unread(self) -> str:
        return "\n".join(self.lines[number - 1] for number in self._unread)

    @sensitive_variables()
    def with_unread(self, text: str) -> str:
        parts = text.split("\n")
        # One code may have stood on two lines.
        is_whole = len(parts) == len(self._unread)
        for place, number in enumerate(self._unread):
            self.lines[number - 1] = parts[place] if is_whole else UNKNOWN_CODE
        return "\n".join(self.lines)


def _zone(typed: str, otherwise: str) -> ZoneInfo:
    return ZoneInfo(typed if typed in available_timezones() else otherwise)


def _nothing(lines: list[Line]) -> str:
    """Why a list names no card, by the first lines that say so."""
    said = "; ".join(f"line {line.number}: {Problem(line.problem).label}" for line in lines[:3] if line.problem)
    return f"No serial number was found. {said}" if said else "No serial number was found."


def zone_of(portal: Portal) -> str:
    """Where times are typed without a script to say so: as the programs of the retailers' cards count their days. Read
    within the wall."""
    zones = Batch.objects.order_by("-pk").values_list("product__program__time_zone", flat=True)
    return zones.first() or "UTC"
