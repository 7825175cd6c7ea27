"""What an agent fills in about compromised cards while somebody tells it."""

from datetime import tzinfo
from typing import Any

from django import forms
from django.views.decorators.debug import sensitive_variables
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from redemption.models import User
from support.actions.reports import TEXTS
from support.models import Problem, Ticket
from support.redaction import redact
from support.references import read_reference
from support.reported_lines import Line, LinesError, typed_lines, typed_problems
from support.ticket_forms import LONGEST_BODY
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

_MOST_TYPED = 100_000


def _line(name: str, label: str) -> forms.CharField:
    return text_field(name, label, UnfoldAdminTextInputWidget({"autocomplete": "off"}))


def _moment(label: str) -> forms.DateTimeField:
    return moment_field(label, UnfoldAdminTextInputWidget({"type": "datetime-local"}))


class DeskReportForm(ToldForm):
    """Times are those of `clock`: as the first card's program counts them. `ticket` is where the cards came up."""

    cards = forms.CharField(
        label="Serial numbers",
        max_length=_MOST_TYPED,
        help_text="One on each line; a range as first–last. Never the code: look it up in the box instead.",
        widget=UnfoldAdminTextareaWidget({"rows": 4, "spellcheck": "false", "placeholder": "1000000200–1000000299"}),
    )
    kind = forms.ChoiceField(
        label="What happened?", choices=KINDS, error_messages=CHOOSE, widget=UnfoldAdminSelectWidget
    )
    customer_present = forms.BooleanField(
        label="The customer is at the counter and waits", required=False, widget=UnfoldBooleanWidget
    )
    store = _line("store", "Store")
    till = _line("till", "Till")
    sold_at = _moment("Sold at")
    discovered_at = _moment("Discovered at")
    receipt_number = _line("receipt_number", "Number of the activation receipt")
    police_reference = _line("police_reference", "Police reference")
    note = forms.CharField(
        label="What else they say",
        max_length=LONGEST_NOTE,
        required=False,
        help_text="The retailer reads it.",
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
    )
    ticket = forms.CharField(
        label="Ticket in which it came up, by reference",
        max_length=60,
        required=False,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "placeholder": "TK-…"}),
    )

    def __init__(self, data: Any = None, *, user: User, clock: tzinfo, **options: Any) -> None:
        super().__init__(data, auto_id="report-%s", **options)
        self.user, self.clock = user, clock
        for name in MOMENTS:
            self.fields[name].help_text = f"As clocks show it in {clock}."

    @sensitive_variables()
    def clean_cards(self) -> list[Line]:
        try:
            lines = list(typed_lines(self.cleaned_data["cards"]))
        except LinesError as refused:
            raise forms.ValidationError(str(refused)) from None
        # All that is not read is said now: whoever told it is still on the telephone.
        wrong = [line for line in lines if line.problem and line.problem != Problem.TWICE]
        if wrong or not lines:
            said = [f"Line {line.number}: {Problem(line.problem).label}" for line in wrong[:5]]
            raise forms.ValidationError(said or "Name the cards: type their serial numbers.")
        return lines

    def clean_ticket(self) -> Ticket | None:
        typed: str = self.cleaned_data["ticket"].strip()
        if not typed:
            return None
        found = Ticket.objects.visible_to(self.user).filter(reference=read_reference(typed), merged_into=None).first()
        if not found:
            raise forms.ValidationError("No ticket has this reference.")
        return found

    @sensitive_variables()
    def again(self) -> None:
        """To be shown once more: without the codes that were typed into it, which is said."""
        data: Any = self.data.copy()  # type: ignore[attr-defined]
        lines = data.get("cards", "")[:_MOST_TYPED].splitlines()
        typed = {name: data.get(name, "")[:LONGEST_BODY] for name in (*TEXTS, *MOMENTS, "ticket")}
        typed |= {str(number): lines[number - 1] for number in typed_problems("\n".join(lines))}
        shown = {name: text if only_moment(text) else redact(text).text for name, text in typed.items()}
        for name, text in shown.items():
            if name in self.fields:
                data[name] = text
            else:
                lines[int(name) - 1] = text
        data["cards"] = "\n".join(lines)
        data["send_key"] = new_key()
        self.data = data
        if shown != typed:
            self.add_error(None, "What looked like a code was taken out.")
