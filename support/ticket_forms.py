"""The forms of a ticket's page and of a new ticket."""

import json
from typing import Any

from django import forms
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from redemption.models import Account, Code, Program, Retailer, User
from redemption.roles import STAFF_ROLES, Permission, Role
from support.actions.tickets import plain
from support.files_field import FilesField
from support.models import MessageKind, Priority, StepTried, Surface, Ticket, TicketChannel, TicketStatus
from support.references import read_reference, read_serial
from support.search import account_named, search

LONGEST_BODY = 50_000
MOST_TAGS = 20
_STATUSES = [(status.value, status.label) for status in TicketStatus if status is not TicketStatus.NEW]
_UNKNOWN = ("", "Unknown")
# Where somebody tells an agent, who writes it down; the others write themselves.
TOLD = (TicketChannel.PHONE, TicketChannel.CHAT, TicketChannel.SOCIAL, TicketChannel.RETAILER)


def _line(**attrs: str) -> forms.Widget:
    widget: forms.Widget = UnfoldAdminTextInputWidget({"autocomplete": "off", **attrs})
    return widget


class WriteForm(forms.Form):
    """One of the two boxes. `seen` is the last message on the page, `send_key` makes sending twice send once."""

    body = forms.CharField(max_length=LONGEST_BODY, widget=UnfoldAdminTextareaWidget({"rows": 8}))
    attachments = FilesField()
    status = forms.ChoiceField(required=False, label="Afterwards the ticket is", widget=UnfoldAdminSelectWidget)
    # Whose text was put into the box: what else it does is done when it is sent.
    macro = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)
    send_key = forms.CharField(max_length=40, widget=forms.HiddenInput)
    seen = forms.IntegerField(min_value=0, max_value=2**63 - 1, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, files: Any = None, *, kind: MessageKind, initial: dict[str, Any] | None = None
    ) -> None:
        # Of their own, because both boxes are on one page.
        super().__init__(data, files, initial=initial, auto_id=f"{kind}-%s")
        self.kind = kind
        is_reply = kind == MessageKind.REPLY
        self.fields["body"].label = "The customer reads this" if is_reply else "Only we read this"
        none = [] if is_reply else [("", "as it was")]
        self.fields["status"].choices = [*none, *_STATUSES]  # type: ignore[attr-defined]
        if is_reply:
            self.fields["status"].initial = TicketStatus.WAITING_FOR_CUSTOMER.value


class AboutForm(forms.Form):
    """What a ticket is about: the fields that a new one and a changed one have in common."""

    subject = forms.CharField(max_length=200, widget=_line())
    priority = forms.TypedChoiceField(
        choices=Priority.choices, coerce=int, initial=Priority.NORMAL, widget=UnfoldAdminSelectWidget
    )
    program = forms.ModelChoiceField(
        Program.objects.order_by("name"), required=False, empty_label="Unknown", widget=UnfoldAdminSelectWidget
    )
    account = forms.CharField(
        label="Account, by reference or e-mail address",
        max_length=300,
        required=False,
        widget=_line(spellcheck="false", placeholder="AC-…"),
    )
    code = forms.CharField(
        label="Card, by serial number", max_length=300, required=False, widget=_line(spellcheck="false")
    )
    retailer = forms.ModelChoiceField(
        Retailer.objects.order_by("name"), required=False, empty_label="Unknown", widget=UnfoldAdminSelectWidget
    )
    error_message = forms.CharField(
        label="Error message, word for word as the customer saw it", max_length=500, required=False, widget=_line()
    )
    surface = forms.ChoiceField(
        label="Where it was seen", choices=[_UNKNOWN, *Surface.choices], required=False, widget=UnfoldAdminSelectWidget
    )
    steps_tried = forms.MultipleChoiceField(
        label="Tried already", choices=StepTried.choices, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if not user.may(Permission.VIEW_ACCOUNTS):
            # Taken away, not only hidden: whether an address has an account is told to nobody who may not see it.
            del self.fields["account"]

    @sensitive_variables()
    def clean_code(self) -> Code | None:
        typed = self.cleaned_data["code"].strip()
        serial = read_serial(typed)
        if not typed:
            return None
        found = Code.objects.select_related("batch__product__program").filter(pk=serial).first() if serial else None
        if not found:
            raise forms.ValidationError("No card has this serial number: it has ten digits.")
        return found

    @sensitive_variables()
    def clean(self) -> None:
        data = self.cleaned_data
        if not data.get("account"):
            if "account" in data:
                data["account"] = None
            return
        account: Account | None
        typed, program = data["account"], data.get("program")
        if program:
            account = account_named(typed, program=program)
        else:
            account = Account.objects.filter(reference=read_reference(typed)).first()
        if account:
            data["account"] = account
        elif program:
            self.add_error("account", f"{program} has no such account.")
        else:
            self.add_error("account", "No account has this reference. By e-mail address, choose the program too.")


class FieldsForm(AboutForm):
    """Changes a ticket. `before` is how it stood when the form was made, so that only what the agent changed is
    changed, and what somebody else changed meanwhile is noticed."""

    status = forms.ChoiceField(choices=TicketStatus.choices, widget=UnfoldAdminSelectWidget)
    assignee = forms.ModelChoiceField(
        User.objects.none(), required=False, empty_label="Nobody", widget=UnfoldAdminSelectWidget
    )
    tags = forms.CharField(required=False, max_length=700, help_text="Parted by commas.", widget=_line())
    before = forms.JSONField(widget=forms.HiddenInput)

    field_order = ("subject", "status", "priority", "assignee", "tags", "program", "account", "code", "retailer")

    def __init__(self, data: Any = None, *, ticket: Ticket, user: User) -> None:
        self.ticket = ticket
        initial = {name: plain(getattr(ticket, name)) for name in self.base_fields if name != "before"}
        initial["before"] = dict(initial)
        initial["tags"] = ", ".join(ticket.tags)
        initial["account"] = ticket.account.reference if ticket.account else ""
        super().__init__(data, user=user, initial=initial, auto_id="field-%s")
        people = User.objects.filter(role__in=STAFF_ROLES, is_active=True)
        if not user.may(Permission.ASSIGN_OTHERS):
            people = people.filter(pk__in=[user.pk, ticket.assignee_id or user.pk])
        self.fields["assignee"].queryset = people.order_by("name", "email")  # type: ignore[attr-defined]

    def clean_tags(self) -> list[str]:
        tags = [" ".join(tag.lower().split()) for tag in self.cleaned_data["tags"].split(",")]
        tags = list(dict.fromkeys(tag for tag in tags if tag))
        if len(tags) > MOST_TAGS or any(len(tag) > 30 for tag in tags):
            raise forms.ValidationError(f"At most {MOST_TAGS} tags, of 30 characters each.")
        return tags

    def clean_before(self) -> dict[str, Any]:
        before = self.cleaned_data["before"]
        if not isinstance(before, dict):
            raise forms.ValidationError("Load the page again.")
        return before

    @property
    def changes(self) -> dict[str, Any]:
        """What the agent changed, since the form was made."""
        before = self.cleaned_data["before"]
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name != "before" and (name not in before or not _alike(plain(value), before[name]))
        }

    def asking_again(self, names: list[str], ticket: Ticket) -> "FieldsForm":
        """The same, made anew of the ticket as it is now; the fields that somebody else changed say so."""
        before = json.dumps(FieldsForm(ticket=ticket, user=self.user).initial["before"])
        again = FieldsForm(_posted(self.data, before=before), ticket=ticket, user=self.user)
        for name in names:
            again.add_error(
                name, f"Somebody changed this meanwhile: it is now {_now(ticket, name)}. Save again to set yours."
            )
        return again


@sensitive_variables()
def _posted(data: Any, **values: str) -> Any:
    """What was posted, with some of it replaced: a field may have been posted with several values."""
    copy = data.copy()
    for name, value in values.items():
        copy[name] = value
    return copy


def _alike(one: Any, other: Any) -> bool:
    """Boxes are ticked in no order."""
    return sorted(one) == sorted(other) if isinstance(one, list) and isinstance(other, list) else bool(one == other)


def _now(ticket: Ticket, name: str) -> str:
    if name == "steps_tried":
        return "another list"
    value = getattr(ticket, f"get_{name}_display", lambda: getattr(ticket, name))()
    return ", ".join(value) if isinstance(value, list) else str(value or "empty")


class NewTicketForm(AboutForm):
    """A call, a chat, a post or a retailer's question, written down by an agent."""

    channel = forms.ChoiceField(
        choices=[(channel.value, channel.label) for channel in TOLD], widget=UnfoldAdminSelectWidget
    )
    requester_name = forms.CharField(label="Who asks", max_length=150, required=False, widget=_line())
    requester_email = forms.EmailField(label="Their e-mail address", required=False, widget=_line())
    body = forms.CharField(
        label="What they say", max_length=LONGEST_BODY, widget=UnfoldAdminTextareaWidget({"rows": 8})
    )
    attachments = FilesField()
    send_key = forms.CharField(max_length=40, widget=forms.HiddenInput)

    field_order = (
        "channel", "requester_name", "requester_email", "subject", "body", "error_message", "surface", "program",
        "account", "code", "retailer", "priority", "steps_tried", "attachments",
    )  # fmt: skip

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, auto_id="new-%s", **kwargs)
        self.fields["code"].label = "Card, by serial number or code"
        self.fields["code"].help_text = "A code is looked up, and kept nowhere."
        if user.role == Role.SOCIAL_MEDIA:
            # He would not see any other.
            self.fields["channel"].choices = [(TicketChannel.SOCIAL.value, TicketChannel.SOCIAL.label)]  # type: ignore[attr-defined]

    @sensitive_variables()
    def clean_code(self) -> Code | None:
        """By code as the box looks it up: counted, audited, and what was typed is kept nowhere."""
        typed = self.cleaned_data["code"].strip()
        if not typed or read_serial(typed):
            return super().clean_code()
        found = search(typed, by=self.user, now=timezone.now())
        cards = [record for record in found.records if isinstance(record, Code)]
        if found.blocked_until:
            raise forms.ValidationError("Too many look-ups found nothing: ask for the serial number.")
        if len(cards) != 1:
            raise forms.ValidationError("No one card is found by this. Look it up in the box, or leave it empty.")
        # The page that shows the form again shows the serial number.
        self.data = _posted(self.data, code=str(cards[0].pk))
        return cards[0]
