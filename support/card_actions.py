"""What can be done to one card from its page, when and by whom."""

from collections.abc import Callable
from dataclasses import dataclass

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from redemption.cards import Touched, activate_cards, freeze_cards, thaw_cards
from redemption.models import Code, CodeStatus, User
from redemption.reasons import ReasonForm
from redemption.roles import Permission


class CardReasonForm(ReasonForm):
    reason = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text="Whoever sees the card next reads it, such as “reported stolen”. No codes.",
    )


@dataclass(frozen=True, slots=True)
class CardAction:
    """`run` takes the serial number, the actor and the form's fields, and raises CardError with a sentence."""

    verb: str
    label: str
    explanation: str
    permission: Permission
    statuses: frozenset[CodeStatus]
    run: Callable[..., Touched]
    form: type[forms.Form] = forms.Form


ACTIONS = {
    action.verb: action
    for action in (
        CardAction(
            "activate", "Activate", "The shop sold it, and its till did not tell us.", Permission.MANAGE_BATCHES,
            frozenset({CodeStatus.INACTIVE}), activate_cards,
        ),
        CardAction(
            "freeze", "Freeze", "Nobody can redeem a frozen card. It can be thawed.", Permission.FREEZE,
            frozenset({CodeStatus.INACTIVE, CodeStatus.ACTIVE}), freeze_cards, CardReasonForm,
        ),
        CardAction(
            "thaw", "Thaw", "It becomes again what it was before.", Permission.FREEZE,
            frozenset({CodeStatus.FROZEN}), thaw_cards, CardReasonForm,
        ),
    )
}  # fmt: skip


def open_to(user: User, card: Code) -> list[CardAction]:
    return [action for action in ACTIONS.values() if user.may(action.permission) and card.status in action.statuses]
