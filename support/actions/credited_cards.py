"""Credits for cards that were reported: a card's worth is given once, and its reports hear of it."""

from datetime import datetime

from redemption import locks
from redemption.models import Code, CodeStatus, Replacement
from support.actions.judging import confirm, credited
from support.actions.reports import ReportError, reopen, settle
from support.models import TOO_LATE, Answer, ManualCredit, Outcome, ReportedCard


def hold_card(code: Code) -> None:
    """For whoever is about to credit for a card: where it was reported, nobody judges it meanwhile."""
    if ReportedCard.objects.filter(serial=code.pk, report__retailer=code.batch.retailer_id).exists():
        locks.take(locks.REPORTS, code.batch.retailer_id)


def refuse_made_good(code: Code) -> None:
    """ReportError where the card's worth would be given a second time: it was replaced; or a report that nobody has
    judged has frozen it, and its value is still on it, to be had once it is cleared."""
    if Replacement.objects.filter(original=code).exists():
        raise ReportError("This card was replaced: what it was worth is on its successor.")
    rows = ReportedCard.objects.undecided([Answer.FROZEN]).filter(serial=code.pk)
    if rows.exists() and Code.objects.filter(pk=code.pk, status=CodeStatus.FROZEN).exists():
        raise ReportError("A report has frozen this card, and its value is still on it: void it or replace it first.")


def note_reversal(credit: ManualCredit, *, now: datetime) -> None:
    """A credit for a card was taken back: reports that it had answered wait for an answer again. Needs the reversal's
    transaction, and hold_card() before."""
    code = credit.code
    if code and not credited([code.pk]):
        reopen(retailer=code.batch.retailer, serials=[code.pk], outcome=Outcome.CREDITED, now=now)


def note_credit(credit: ManualCredit, *, now: datetime) -> None:
    """A credit was granted for a card: where it was reported, redeemed, and not judged, this is what came of it. Needs
    the credit's transaction, and hold_card() before."""
    code, by = credit.code, credit.granted_by
    if code is None:
        return
    rows = ReportedCard.objects.undecided(TOO_LATE).filter(serial=code.pk, report__retailer=code.batch.retailer_id)
    if row := rows.select_related("report__retailer").order_by("pk").first():
        settle(retailer=row.report.retailer, serials=[code.pk], outcome=Outcome.CREDITED, by=by, now=now)
        confirm(row.report, [code.pk], by, now)
