"""The forms of credits. Amounts are typed as people say them, and are exact or refused with a sentence."""

import re
import uuid
from string import ascii_letters
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from redemption.code_spotting import CodeSpotter
from redemption.models import Account, Code, User
from redemption.money import currency_choices, decimals, format_minor, to_minor
from support.actions.credits import LARGEST, LONGEST_NOTE, MOST_DAYS, CreditError, Wanted
from support.allowance import passes_cap
from support.credit_defaults import MOVED_CARD
from support.models import DAYS, Attachment, CreditReason, ScanState, Ticket
from support.references import read_reference, read_serial
from support.search import account_named

MOST_ACCOUNTS = 20
OTHER = "other"


def read_amount(text: str, unit: str) -> int:
    """Minor units, or days, of what was typed. ValueError, with a sentence, for what is no exact amount above zero."""
    typed = " ".join(text.split())
    if not typed:
        raise ValueError("Write an amount.")
    if unit == DAYS:
        typed = re.sub(r" ?days?$", "", typed, flags=re.IGNORECASE)
        if not re.fullmatch(r"[0-9]{1,12}", typed):
            raise ValueError("Write whole days above zero, such as 30.")
        amount = int(typed)
        if amount > MOST_DAYS:
            raise ValueError(f"Nobody grants more than {MOST_DAYS:,} days at once.")
    else:
        # “US$5” and “$5” are the same to whoever types it for an account in dollars.
        for sign in (unit, _sign(unit), _sign(unit).strip(ascii_letters)):
            typed = typed.removeprefix(sign).removesuffix(sign).strip()
        _refuse_others(typed, unit)
        if "," in typed:
            raise ValueError(f"Write it without commas, and decimals after a point: {_example(unit)}.")
        if not re.fullmatch(r"-?([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)", typed):
            raise ValueError(f"Write an amount in figures, such as {_example(unit)}.")
        amount = to_minor(typed, unit)
        if amount > LARGEST:
            raise ValueError(f"Nobody grants more than {format_minor(LARGEST, unit)} at once.")
    if amount <= 0:
        raise ValueError("Write an amount above zero.")
    return amount


def offered_reasons() -> QuerySet[CreditReason]:
    """Those in use; what a card gave is moved from the card's own page."""
    return CreditReason.objects.filter(is_retired=False).exclude(slug=MOVED_CARD).order_by("name")


def _sign(currency: str) -> str:
    return re.sub(r"[\d.,\s\xa0]", "", format_minor(0, currency))


def _refuse_others(typed: str, unit: str) -> None:
    for currency, _ in currency_choices():
        if currency != unit and (currency in typed.upper() or _sign(currency) in typed):
            raise ValueError(f"This account is in {unit}.")
    if any(sign in typed for sign in "$€£¥"):
        raise ValueError(f"This account is in {unit}.")


def _example(unit: str) -> str:
    return f"5.{'0' * decimals(unit)}".rstrip(".")


def _line(**attrs: str) -> forms.Widget:
    widget: forms.Widget = UnfoldAdminTextInputWidget({"autocomplete": "off", "spellcheck": "false", **attrs})
    return widget


def _without_code(text: str) -> str:
    if CodeSpotter().holds_code([text]):
        raise forms.ValidationError("There is a code in it: name the card by its serial number.")
    return text


def say(form: forms.Form, refused: CreditError) -> None:
    """Beside the field that is wrong, or above the form where it has none of this name."""
    form.add_error(refused.field if refused.field in form.fields else None, str(refused))


class AccountOfCreditForm(forms.Form):
    """Whose account? Posted: an e-mail address must not stand in an address."""

    who = forms.CharField(
        label="Account, by reference or e-mail address",
        max_length=300,
        error_messages={"required": "Write the account’s reference, or the customer’s e-mail address."},
        widget=_line(placeholder="AC-…", autofocus=""),
    )

    @sensitive_variables()
    def clean_who(self) -> list[Account]:
        """Of an address, every program's: one person may have several."""
        typed = self.cleaned_data["who"]
        accounts = Account.objects.select_related("program").order_by("program__name", "pk")
        if "@" in typed:
            accounts = accounts.alias(lower_email=Lower("email")).filter(lower_email=typed.lower())
        else:
            accounts = accounts.filter(reference=read_reference(typed) or "")
        found = list(accounts[:MOST_ACCOUNTS])
        if not found:
            raise forms.ValidationError("No account has this reference or address.")
        return found


class CreditForm(forms.Form):
    """What is to be credited to one account; `wanted` once it is valid. Shown anew, nothing that was typed is lost."""

    amount = forms.CharField(
        max_length=40,
        required=False,
        widget=_line(inputmode="decimal", autofocus="", **{"aria-describedby": "allowance"}),
    )
    unit = forms.CharField(max_length=4)
    reason = forms.ModelChoiceField(
        CreditReason.objects.exclude(slug=MOVED_CARD),
        to_field_name="slug",
        error_messages={"required": "Choose a reason.", "invalid_choice": "There is no such reason."},
    )
    # Of the tickets that are offered, or `OTHER`.
    ticket = forms.CharField(max_length=60, required=False)
    other_ticket = forms.CharField(
        label="Ticket, by its reference", max_length=300, required=False, widget=_line(placeholder="TK-…")
    )
    code = forms.CharField(label="Card, by its serial number", max_length=300, required=False, widget=_line())
    receipt = forms.CharField(max_length=20, required=False)
    note = forms.CharField(
        max_length=LONGEST_NOTE,
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text="What the next colleague must know. No codes.",
    )
    why = forms.CharField(
        label="Why should your colleague agree?",
        max_length=500,
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Whoever decides reads it. No codes.",
    )
    key = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, account: Account, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account, self.user = account, user
        self.found_ticket: Ticket | None = None

    def focus_on_why(self) -> None:
        self.fields["amount"].widget.attrs.pop("autofocus", None)
        self.fields["why"].widget.attrs["autofocus"] = ""

    def clean_unit(self) -> str:
        unit: str = self.cleaned_data["unit"]
        if unit not in {self.account.currency, DAYS}:
            raise forms.ValidationError(f"This account is in {self.account.currency}.")
        return unit

    def clean_reason(self) -> CreditReason:
        reason: CreditReason = self.cleaned_data["reason"]
        if reason.is_retired:
            raise forms.ValidationError("This reason is not used any more: choose another.")
        return reason

    @sensitive_variables()
    def clean_code(self) -> Code | None:
        typed = self.cleaned_data["code"].strip()
        if not typed:
            return None
        serial = read_serial(typed)
        cards = Code.objects.select_related("batch__product__program", "batch__retailer")
        found = cards.filter(pk=serial).first() if serial else None
        if not found:
            raise forms.ValidationError("No card has this serial number: it has ten digits.")
        return found

    @sensitive_variables()
    def clean_receipt(self) -> Attachment | None:
        chosen = self.cleaned_data["receipt"]
        if not chosen:
            return None
        visible = Attachment.objects.filter(ticket__in=Ticket.objects.visible_to(self.user))
        number = int(chosen) if re.fullmatch(r"[0-9]{1,18}", chosen) else 0
        found = visible.exclude(scan=ScanState.INFECTED).filter(pk=number).first()
        if not found:
            raise forms.ValidationError("Choose one of the ticket’s files.")
        return found

    @sensitive_variables()
    def clean_note(self) -> str:
        return _without_code(self.cleaned_data["note"])

    @sensitive_variables()
    def clean_why(self) -> str:
        return _without_code(self.cleaned_data["why"])

    def clean_key(self) -> uuid.UUID:
        try:
            return uuid.UUID(self.cleaned_data["key"])
        except ValueError:
            raise forms.ValidationError("Load the page again: something of this form is missing.") from None

    @sensitive_variables()
    def clean(self) -> None:
        data = self.cleaned_data
        if "unit" in data and "amount" in data:
            try:
                data["amount"] = read_amount(data["amount"], data["unit"])
            except ValueError as refused:
                self.add_error("amount", str(refused))
            else:
                if data["unit"] == DAYS and (told := passes_cap(self.account, data["amount"], now=timezone.now())):
                    self.add_error("amount", told)
        self.found_ticket = chosen_ticket(data, user=self.user)
        if not self.found_ticket:
            typed = data.get("other_ticket") or data.get("ticket", "")
            named = typed and typed != OTHER
            self.add_error(
                "ticket", "No ticket has this reference." if named else "Choose the ticket that asks for it."
            )

    @property
    def wanted(self) -> Wanted:
        data = self.cleaned_data
        assert self.found_ticket
        return Wanted(
            account=self.account,
            unit=data["unit"],
            amount=data["amount"],
            reason=data["reason"],
            ticket=self.found_ticket,
            code=data["code"],
            receipt=data["receipt"],
            note=data["note"],
            key=data["key"],
        )


@sensitive_variables()
def chosen_ticket(data: Any, *, user: User) -> Ticket | None:
    """The ticket that was chosen among those offered, or else typed."""
    chosen, typed = data.get("ticket") or "", data.get("other_ticket") or ""
    reference = read_reference(typed if chosen in {"", OTHER} else chosen)
    visible = Ticket.objects.visible_to(user).select_related("account", "program", "code")
    return visible.filter(reference=reference).first() if reference else None


class WhyForm(forms.Form):
    """What whoever decides reads."""

    why = forms.CharField(
        label="Why?",
        max_length=500,
        error_messages={"required": "Say why: whoever decides needs to know."},
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="A second person reads it and decides. No codes.",
    )

    @sensitive_variables()
    def clean_why(self) -> str:
        return _without_code(self.cleaned_data["why"])


class MoveForm(WhyForm):
    """Which account should have what a card gave, by reference or e-mail address: posted, as in every such form."""

    to = forms.CharField(
        label="Account that should have it, by reference or e-mail address",
        max_length=300,
        error_messages={"required": "Write the other account’s reference, or its e-mail address."},
        widget=_line(placeholder="AC-…"),
    )
    ticket = forms.CharField(
        label="Ticket that asks for it, by its reference",
        max_length=300,
        error_messages={"required": "Write the reference of the ticket that asks for it."},
        widget=_line(placeholder="TK-…"),
    )

    field_order = ("to", "ticket", "why")

    def __init__(self, *args: Any, origin: Account, user: User, is_look: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.origin, self.user = origin, user
        if is_look:
            # To see both accounts first, nobody needs to say why.
            self.fields["why"].required = self.fields["ticket"].required = False

    @sensitive_variables()
    def clean_to(self) -> Account:
        account = account_named(self.cleaned_data["to"], program=self.origin.program)
        if not account:
            raise forms.ValidationError(f"{self.origin.program} has no such account.")
        if account == self.origin:
            raise forms.ValidationError("This is the account that redeemed it.")
        return account

    @sensitive_variables()
    def clean_ticket(self) -> Ticket | None:
        typed = self.cleaned_data["ticket"]
        found = chosen_ticket({"ticket": typed}, user=self.user)
        if typed and not found:
            raise forms.ValidationError("No ticket has this reference.")
        return found
