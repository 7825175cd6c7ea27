"""The form that narrows the trail down. It is posted, because what is typed as a target might be a code; what it leads
to is an address that can be kept."""

from typing import Any

from django import forms
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from redemption.models import Account, Attempt, Batch, User
from redemption.roles import STAFF_ROLES, Role
from support.addresses import UnknownFilterError
from support.models import CompromiseReport, ManualCredit, Ticket
from support.references import read_reference, read_serial
from support.trail.groups import GROUPS, name_of
from support.trail.names import KINDS
from support.trail.query import Query
from support.trail.tickets import id_of

_BY_REFERENCE: dict[str, tuple[str, Any]] = {
    "AC": ("account", Account),
    "AT": ("attempt", Attempt),
    "BA": ("batch", Batch),
    "TK": ("ticket", Ticket),
    "CR": ("credit", ManualCredit),
    "RP": ("report", CompromiseReport),
}


def choices() -> list[tuple[str, Any]]:
    """Of actions: the groups, and under each its own."""
    return [
        ("", "Everything"),
        *(
            (label, [(group, label), *sorted((action.value, name_of(action)) for action in actions)])
            for group, (label, actions) in GROUPS.items()
        ),
    ]


def _staff() -> list[tuple[str, str]]:
    staff = User.objects.filter(role__in=[*STAFF_ROLES, Role.SYSTEM]).order_by("name", "email")
    return [("", "Anybody"), *((str(person.pk), f"{person} ({person.get_role_display()})") for person in staff)]


def _day() -> forms.DateInput:
    return forms.DateInput({"type": "date"}, format="%Y-%m-%d")


class FilterForm(forms.Form):
    """Gives a Query by `query()`, once it is valid."""

    target = forms.CharField(
        label="Record",
        required=False,
        max_length=100,
        widget=forms.TextInput({"placeholder": "AC-…, TK-…, CR-…, a serial number", "autocomplete": "off"}),
    )
    person = forms.ChoiceField(label="Person", required=False)
    action = forms.ChoiceField(label="Action", required=False, choices=choices)
    since = forms.DateField(label="From", required=False, widget=_day())
    until = forms.DateField(label="Until", required=False, widget=_day())
    unticketed = forms.BooleanField(label="Only looks at customers without a ticket", required=False)
    alone = forms.BooleanField(label="Leave out lists and findings in which it stood", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        person: Any = self.fields["person"]
        person.choices = _staff()
        # Whoever works here no longer, and a customer, is reached from his events.
        asked = str(self.initial.get("person") or self.data.get("person", ""))
        if asked.isascii() and asked.isdecimal() and len(asked) <= 18 and asked not in dict(person.choices):
            found = User.objects.filter(pk=int(asked)).first()
            person.choices = [*person.choices, (asked, str(found) if found else f"person {asked}")]

    @sensitive_variables()
    def clean_target(self) -> str:
        typed = self.cleaned_data["target"].strip()
        return _target_of(typed) if typed else ""

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = data.get("since"), data.get("until")
        for name, day in (("since", since), ("until", until)):
            if day and not 2000 <= day.year <= 2999:
                self.add_error(name, "The trail is of years from 2000 on.")
        if since and until and since > until:
            self.add_error("until", "It ends before it begins.")
        return data

    def query(self) -> Query:
        data = self.cleaned_data
        return Query(
            target=data["target"],
            person=int(data["person"]) if data["person"] else None,
            action=data["action"],
            since=data["since"],
            until=data["until"],
            unticketed=data["unticketed"],
            alone=data["alone"],
        )


@sensitive_variables()
def _target_of(typed: str) -> str:
    """What events call it. A reference that is not there is as unknown as anything else."""
    if serial := read_serial(typed):
        return f"code:{serial}"
    if reference := read_reference(typed):
        kind, model = _BY_REFERENCE.get(reference[:2], ("", None))
        if model and (pk := model.objects.filter(reference=reference).values_list("pk", flat=True).first()):
            return f"{kind}:{pk}"
        raise forms.ValidationError("Nothing has this reference.")
    if typed.partition(":")[0] in {*KINDS, "code", "list"}:
        try:
            return Query.read({"target": typed}).target
        except UnknownFilterError:
            pass
    raise forms.ValidationError(
        "Name it by a reference (AC-… accounts, TK-… tickets, CR-… credits, RP-… reports, BA-… batches) or by a card’s "
        "serial number."
    )


def address_of(query: Query) -> str:
    return f"{reverse('audit')}?{query.address}" if query.address else reverse("audit")


def typed_for(target: str) -> str:
    """As one would type a target: by its reference, where its kind has any."""
    kind, _, name = target.partition(":")
    for named, model in _BY_REFERENCE.values():
        if named == kind and id_of(target):
            found = model.objects.filter(pk=id_of(target)).values_list("reference", flat=True).first()
            return str(found or target)
    return name if kind == "code" else target
