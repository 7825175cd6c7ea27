"""What can be done to a batch, when, by whom, and what is said before and after: the buttons of its page."""

from collections.abc import Callable
from dataclasses import dataclass

from django import forms
from unfold.widgets import UnfoldAdminSingleDateWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from redemption.batches import BatchError, activate_batch, close_batch, extend_batch, freeze_batch, thaw_batch
from redemption.issuing import enqueue
from redemption.models import Batch, BatchStatus, User
from redemption.print_files import confirm_receipt
from redemption.reasons import ReasonForm
from redemption.roles import Permission

# About a second's work. A bigger batch's cards are reported by their tills, or by whoever gave them away.
MOST_SOLD_AT_ONCE = 20_000


class BatchReasonForm(ReasonForm):
    reason = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="Whoever sees the batch next reads it, such as “theft reported by the shop”. No codes.",
    )


class ActivateForm(forms.Form):
    with_cards = forms.BooleanField(
        label="Count every card as sold now",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="For codes that are given away or billed in one sum. Otherwise each works once its till reports it.",
    )


class ExpiryForm(forms.Form):
    expires_on = forms.DateField(
        label="New last day",
        widget=UnfoldAdminSingleDateWidget,
        help_text="In the program's time zone, later than the present one.",
    )


@dataclass(frozen=True, slots=True)
class BatchAction:
    """`run` takes the batch, the actor and the form's fields, and raises its module's error with a sentence."""

    name: str
    label: str
    permission: Permission
    statuses: frozenset[BatchStatus]
    explanation: str
    done: str
    run: Callable[..., object]
    form: type[forms.Form] = forms.Form
    is_final: bool = False

    def is_open_to(self, user: User, batch: Batch) -> bool:
        return user.may(self.permission) and batch.status in self.statuses


def _activate(batch: Batch, *, by: User, with_cards: bool) -> object:
    if with_cards and batch.quantity > MOST_SOLD_AT_ONCE:
        raise BatchError(
            f"More than {MOST_SOLD_AT_ONCE:,} cards take longer than a page may: activate the batch alone, and have "
            "its cards reported as sold."
        )
    return activate_batch(batch, by=by, with_cards=with_cards)


def _issue(batch: Batch, *, by: User) -> object:
    return enqueue(batch=batch, by=by)


def _destroy_print_file(batch: Batch, *, by: User) -> object:
    return confirm_receipt(batch.print_file, by=by)


_S = BatchStatus
_ISSUED_OR_ACTIVE = frozenset({_S.ISSUED, _S.ACTIVE})
_WITH_CODES = frozenset({_S.ISSUED, _S.ACTIVE, _S.FROZEN, _S.CLOSED})
ACTIONS = {
    action.name: action
    for action in (
        BatchAction(
            "issue",
            "Issue codes",
            Permission.MANAGE_BATCHES,
            frozenset({_S.DRAFT}),
            "Makes the codes and the encrypted print file. From then on product, retailer, quantity and serial "
            "numbers stay as they are.",
            "The codes are being made. You may leave this page: the work goes on.",
            _issue,
            is_final=True,
        ),
        BatchAction(
            "activate",
            "Activate",
            Permission.MANAGE_BATCHES,
            frozenset({_S.ISSUED}),
            "The retailer has the cards: from now on a card works once it is sold.",
            "The batch is active.",
            _activate,
            ActivateForm,
        ),
        BatchAction(
            "freeze",
            "Freeze",
            Permission.FREEZE,
            _ISSUED_OR_ACTIVE,
            "Nothing of this batch is redeemed until it is thawed. What was redeemed before stays redeemed.",
            "The batch is frozen.",
            freeze_batch,
            BatchReasonForm,
        ),
        BatchAction(
            "thaw",
            "Thaw",
            Permission.FREEZE,
            frozenset({_S.FROZEN}),
            "The batch goes back to what it was before it was frozen.",
            "The batch is thawed.",
            thaw_batch,
            BatchReasonForm,
        ),
        BatchAction(
            "extend",
            "Extend expiry",
            Permission.MANAGE_BATCHES,
            frozenset({_S.ISSUED, _S.ACTIVE, _S.FROZEN}),
            "Unspent cards work for longer. Breakage that was posted for them is taken back.",
            "The expiry is extended.",
            extend_batch,
            ExpiryForm,
        ),
        BatchAction(
            "close",
            "Close batch",
            Permission.MANAGE_BATCHES,
            frozenset({_S.ISSUED, _S.ACTIVE, _S.FROZEN}),
            "Ends the batch: nothing of it is sold or redeemed any more.",
            "The batch is closed.",
            close_batch,
            BatchReasonForm,
            is_final=True,
        ),
        BatchAction(
            "destroy-print-file",
            "Receipt confirmed: destroy the file",
            Permission.FETCH_PRINT_FILES,
            _WITH_CODES,
            "The printer has confirmed that the file arrived and can be read. It is destroyed here.",
            "The print file is destroyed.",
            _destroy_print_file,
            is_final=True,
        ),
    )
}
