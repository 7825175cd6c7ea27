"""The forms of a ticket's page."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from support.models import MessageKind, TicketStatus

LONGEST_BODY = 50_000
_STATUSES = [(status.value, status.label) for status in TicketStatus if status is not TicketStatus.NEW]


class WriteForm(forms.Form):
    """One of the two boxes. `seen` is the last message on the page, `send_key` makes sending twice send once."""

    body = forms.CharField(max_length=LONGEST_BODY, widget=UnfoldAdminTextareaWidget({"rows": 8}))
    status = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    send_key = forms.CharField(max_length=40, widget=forms.HiddenInput)
    seen = forms.IntegerField(min_value=0, max_value=2**63 - 1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, kind: MessageKind, **kwargs: Any) -> None:
        # Of their own, because both boxes are on one page.
        super().__init__(*args, auto_id=f"{kind}-%s", **kwargs)
        self.kind = kind
        is_reply = kind == MessageKind.REPLY
        self.fields["body"].label = "The customer reads this" if is_reply else "Only we read this"
        self.fields["status"].label = "Afterwards the ticket is"
        none = [] if is_reply else [("", "as it was")]
        self.fields["status"].choices = [*none, *_STATUSES]  # type: ignore[attr-defined]
        if is_reply:
            self.fields["status"].initial = TicketStatus.WAITING_FOR_CUSTOMER.value
