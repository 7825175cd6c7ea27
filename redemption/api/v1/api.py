"""The platforms' interface: what a code would give, redeeming it, accounts' credit, cards, and paid invoices.

A key opens what its program owns and nothing else: a stranger's account, card or invoice is answered like one that is
not there. Refusals say what a customer may be told; only `codes` says how a card stands.
"""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from ninja import Path, Query

from redemption import billing, trail
from redemption.api import limits
from redemption.api.errors import ApiError, ErrorCode, answer, documented
from redemption.api.idempotency import PARAMETER, once, wish_of
from redemption.api.interface import ApiHttpRequest, KeyWith, make_api
from redemption.api.v1 import queries, trying
from redemption.api.v1.schemas import (
    AccountOut,
    CardOut,
    CodeIn,
    InvoiceOut,
    InvoicesOut,
    PageIn,
    Problem,
    SerialInAddress,
    SettleIn,
    StatementOut,
    TriedOut,
    TryIn,
)
from redemption.code_format import Outcome
from redemption.models import Account, ApiScope, User
from redemption.patterns import read_typed
from redemption.refusals import Answer

_C = ErrorCode
_POST: dict[str, Any] = {"parameters": [PARAMETER]}
_TRY_ERRORS = (_C.KEY_MISSING, _C.KEY_REUSED, _C.UNSUPPORTED_MEDIA_TYPE, _C.REFUSED, _C.UNKNOWN_ACCOUNT)

api = make_api(
    title="Redemption Desk: platforms",
    version="1",
    namespace="platform",
    code_field="code",
    description="For the services whose cards these are. Send a key as “Authorization: Bearer rd_…”, made by an "
    "administrator here. Codes stand in the field `code` of a body and nowhere else. Refusals are answered with 409, "
    "but for too many tries (429), an outage (503), and a number that the customer has to type first (403); their "
    "`code` says which, and their `message` may be shown to the customer. An Idempotency-Key belongs to one request of "
    "yours, whichever key it comes with.",
)


@api.post(
    "/validate",
    auth=KeyWith(ApiScope.VALIDATE),
    response={200: TriedOut, **documented(*_TRY_ERRORS, body=Problem)},
    openapi_extra=_POST,
    operation_id="validate",
    summary="See what a code would give",
)
def validate(request: ApiHttpRequest, wanted: TryIn) -> HttpResponse:
    """Nothing is spent. It counts as one of the account's tries, which redeeming that code gives back."""
    return trying.looked(request, wanted)


@api.post(
    "/redeem",
    auth=KeyWith(ApiScope.REDEEM),
    response={200: TriedOut, **documented(*_TRY_ERRORS, body=Problem)},
    openapi_extra=_POST,
    operation_id="redeem",
    summary="Redeem a code for an account",
)
def redeem(request: ApiHttpRequest, wanted: TryIn) -> HttpResponse:
    """Spends the code and grants what it gives. A slip (`check_the_code`) and an outage cost nothing."""
    return trying.tried(request, wanted)


@api.get(
    "/accounts/{reference}",
    auth=KeyWith(ApiScope.ACCOUNTS),
    response={200: AccountOut, **documented(_C.UNKNOWN_ACCOUNT, body=Problem)},
    operation_id="read_account",
    summary="An account’s plan, premium time and credit",
)
def read_account(request: ApiHttpRequest, reference: str) -> HttpResponse:
    return answer(200, queries.as_json(queries.read_account(_account(request, reference))))


@api.get(
    "/accounts/{reference}/statement",
    auth=KeyWith(ApiScope.ACCOUNTS),
    response={200: StatementOut, **documented(_C.UNKNOWN_ACCOUNT, body=Problem)},
    operation_id="read_statement",
    summary="Every movement of an account’s credit",
)
def read_statement(request: ApiHttpRequest, reference: str, part: Query[PageIn]) -> HttpResponse:
    found = queries.read_statement(_account(request, reference), before=part.before, limit=part.limit)
    return answer(200, queries.as_json(found))


@api.post(
    "/codes/status",
    auth=KeyWith(ApiScope.CODES),
    response={200: CardOut, **documented(_C.UNKNOWN_CODE, _C.REFUSED, _C.UNSUPPORTED_MEDIA_TYPE, body=Problem)},
    operation_id="read_code",
    summary="How the card with a code stands",
)
@sensitive_variables()
def read_code(request: ApiHttpRequest, asked: CodeIn) -> HttpResponse:
    """It changes nothing and takes no Idempotency-Key: a code is in a body because addresses are written down."""
    key, now = request.auth, timezone.now()
    typed = read_typed(key.platform, asked.code.get_secret_value())
    if typed.is_share_link:
        return _refused(Answer.SHARE_LINK)
    if typed.outcome in {Outcome.SLIP, Outcome.BLANK}:
        return _refused(Answer.CHECK_THE_CODE)
    # Before it is looked up, so that a crowd of requests asks about no more codes than one by one.
    limits.count_guess(key, now)
    serial = queries.find_serial(typed)
    if serial is None:
        raise ApiError(_C.UNKNOWN_CODE)
    limits.forgive_guess(key, now)
    return _card(request, serial, _C.UNKNOWN_CODE)


@api.get(
    "/cards/{serial}",
    auth=KeyWith(ApiScope.CODES),
    response={200: CardOut, **documented(_C.UNKNOWN_CARD, body=Problem)},
    operation_id="read_card",
    summary="How a card stands",
)
def read_card(request: ApiHttpRequest, serial: Path[SerialInAddress]) -> HttpResponse:
    return _card(request, serial, _C.UNKNOWN_CARD)


@api.get(
    "/invoices",
    auth=KeyWith(ApiScope.BILLING),
    response={200: InvoicesOut, **documented(body=Problem)},
    operation_id="list_due_invoices",
    summary="Invoices that wait to be settled",
)
def list_due_invoices(request: ApiHttpRequest, part: Query[PageIn]) -> HttpResponse:
    """The newest first, also those that no webhook has told of."""
    found = queries.read_due(request.auth.platform, before=part.before, limit=part.limit)
    return answer(200, queries.as_json(found))


@api.post(
    "/invoices/{reference}/settle",
    auth=KeyWith(ApiScope.BILLING),
    response={
        200: InvoiceOut,
        **documented(
            _C.KEY_MISSING,
            _C.KEY_REUSED,
            _C.UNSUPPORTED_MEDIA_TYPE,
            _C.REFUSED,
            _C.UNKNOWN_INVOICE,
            body=Problem,
        ),
    },
    openapi_extra=_POST,
    operation_id="settle_invoice",
    summary="Tell whether the payment method paid what was due",
)
def settle_invoice(request: ApiHttpRequest, reference: str, told: SettleIn) -> HttpResponse:
    """Not paid: what credit had paid of that month is given back, and the account falls to the free plan."""
    key, now = request.auth, timezone.now()
    trying.refuse_tries_key(wish_of(request, key))

    def effect() -> tuple[int, dict[str, Any]]:
        invoice = queries.find_invoice(key.platform, reference)
        if not invoice:
            raise ApiError(_C.UNKNOWN_INVOICE)
        try:
            settled = billing.settle(invoice=invoice, is_paid=told.paid, by=User.objects.system(), now=now)
        except billing.BillingError as refused:
            raise ApiError(_C.REFUSED, str(refused)) from None
        return 200, queries.as_json(queries.read_invoice(settled))

    return once(request, key, effect)


def _account(request: ApiHttpRequest, reference: str) -> Account:
    account = queries.find_account(request.auth, reference)
    if not account:
        raise ApiError(_C.UNKNOWN_ACCOUNT)
    return account


def _card(request: ApiHttpRequest, serial: int, unknown: ErrorCode) -> HttpResponse:
    key = request.auth
    card = queries.read_card(key.platform, serial)
    if not card:
        raise ApiError(unknown)
    trail.tell("code_status_asked", by=User.objects.system(), target=f"code:{serial}", also=[f"api_key:{key.pk}"])
    return answer(200, queries.as_json(card))


def _refused(refusal: Answer) -> HttpResponse:
    return answer(409, {"code": refusal.value, "message": refusal.text(), "reference": ""})
