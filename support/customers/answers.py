"""The answer that a customer writes about, from the reference that he was given with it."""

from dataclasses import dataclass

from django.http import Http404

from redemption.models import Account, Attempt, AttemptOutcome, Channel, Code
from redemption.references import NOBODY, read_signed
from redemption.refusals import Answer
from redemption.results import Result, stored_result
from support.models import KnownError, Surface
from support.references import read_reference

_SURFACES = {Channel.WEB: Surface.WEB, Channel.DESKTOP: Surface.DESKTOP, Channel.MOBILE: Surface.MOBILE}


@dataclass(frozen=True, slots=True)
class Answered:
    """`text`: what he was told, word for word; empty where a code was redeemed or only looked at. `code`: for the
    ticket alone, the customer must not learn whether there is such a card."""

    reference: str
    account: Account
    text: str
    known_error: KnownError | None
    surface: str
    code: Code | None


def answered(reference: str, accounts: list[Account]) -> Answered:
    """An attempt of these accounts, or a signed reference of one of them; 404 for anybody else's as for none."""
    written = read_reference(reference) or ""
    if signed := read_signed(written):
        # One that was given without the database names nobody: it is about all programs.
        account = next((one for one in accounts if signed.account_id in (one.pk, NOBODY)), None)
        if account:
            result = Result(AttemptOutcome.REFUSED, written, untried=signed.kind)
            return _answered(result, account, Surface.WEB, None)
    else:
        found = Attempt.objects.select_related("code").filter(reference=written, account__in=accounts).first()
        account = next((one for one in accounts if found and one.pk == found.account_id), None)
        if found and account:
            surface = _SURFACES.get(Channel(found.channel), "")
            return _answered(stored_result(found.pk), account, surface, found.code)
    raise Http404


def _answered(result: Result, account: Account, surface: str, code: Code | None) -> Answered:
    return Answered(
        reference=result.reference,
        account=account,
        text=result.customer_text(account.program) if result.answer else "",
        known_error=_known_error(result.answer, account),
        surface=surface,
        code=code,
    )


def _known_error(answer: Answer | None, account: Account) -> KnownError | None:
    """The program's own where it has one of this answer."""
    if not answer:
        return None
    fitting = KnownError.objects.filter(answer=answer, is_active=True)
    own = fitting.filter(program=account.program_id).order_by("pk").first()
    return own or fitting.filter(program=None).order_by("pk").first()
