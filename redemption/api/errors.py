"""One shape for every error of every interface: a code for programs, a sentence for people."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.http import HttpResponse
from ninja import Schema
from pydantic import Field

_JSON = "application/json; charset=utf-8"


class ErrorCode(StrEnum):
    MALFORMED = "malformed"
    KEY_MISSING = "idempotency_key_missing"
    KEY_MALFORMED = "idempotency_key_malformed"
    UNAUTHORIZED = "unauthorized"
    MISSING_SCOPE = "missing_scope"
    NOT_FOUND = "not_found"
    UNKNOWN_CARD = "unknown_card"
    UNKNOWN_REPORT = "unknown_report"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_CODE = "unknown_code"
    UNKNOWN_INVOICE = "unknown_invoice"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    ALREADY_ACTIVE = "already_active"
    STILL_RUNNING = "still_running"
    REFUSED = "refused"
    TOO_LARGE = "too_large"
    TOO_MANY_CARDS = "too_many_cards"
    ADDRESS_TOO_LONG = "address_too_long"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID = "invalid"
    LOOKS_LIKE_A_CODE = "looks_like_a_code"
    KEY_REUSED = "idempotency_key_reused"
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL_ERROR = "internal_error"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Meaning:
    status: int
    message: str


_C = ErrorCode
ERRORS: Mapping[ErrorCode, Meaning] = {
    _C.MALFORMED: Meaning(400, "The request cannot be read."),
    _C.KEY_MISSING: Meaning(400, "Send an Idempotency-Key with every POST: a new one for each new wish."),
    _C.KEY_MALFORMED: Meaning(400, "An Idempotency-Key has 1 to 100 visible ASCII characters."),
    _C.UNAUTHORIZED: Meaning(401, "Send a key that is valid, as “Authorization: Bearer rd_…”."),
    _C.MISSING_SCOPE: Meaning(403, "This key was not made for that."),
    _C.NOT_FOUND: Meaning(404, "Nothing is at this address."),
    _C.UNKNOWN_CARD: Meaning(404, "You have no card with this serial number."),
    _C.UNKNOWN_REPORT: Meaning(404, "You have no report with this reference."),
    _C.UNKNOWN_ACCOUNT: Meaning(404, "You have no account with this reference."),
    _C.UNKNOWN_CODE: Meaning(404, "None of your cards has this code."),
    _C.UNKNOWN_INVOICE: Meaning(404, "You have no invoice with this reference."),
    _C.METHOD_NOT_ALLOWED: Meaning(405, "This address does not take that method."),
    _C.ALREADY_ACTIVE: Meaning(409, "This card is active already: it was sold before."),
    _C.REFUSED: Meaning(409, "It cannot be done."),
    _C.STILL_RUNNING: Meaning(409, "The first request with this Idempotency-Key is still running: send it again soon."),
    _C.TOO_LARGE: Meaning(413, "That is too large."),
    _C.TOO_MANY_CARDS: Meaning(413, "That is too many cards for one request."),
    _C.ADDRESS_TOO_LONG: Meaning(414, "The address is too long."),
    _C.UNSUPPORTED_MEDIA_TYPE: Meaning(415, "Send the body as application/json."),
    _C.INVALID: Meaning(422, "A field is missing or wrong."),
    _C.LOOKS_LIKE_A_CODE: Meaning(422, "That looks like a code. Send serial numbers, and keep codes to yourself."),
    _C.KEY_REUSED: Meaning(422, "This Idempotency-Key was used for another request."),
    _C.TOO_MANY_REQUESTS: Meaning(429, "Too many requests: wait as long as Retry-After says, in seconds."),
    _C.INTERNAL_ERROR: Meaning(500, "Something went wrong here. Send it again with the same Idempotency-Key."),
    _C.UNAVAILABLE: Meaning(503, "That does not work at the moment. Send it again with the same Idempotency-Key."),
}
# What an answer is that was made outside an interface, by its status.
BY_STATUS: Mapping[int, ErrorCode] = {
    400: _C.MALFORMED,
    401: _C.UNAUTHORIZED,
    403: _C.MISSING_SCOPE,
    404: _C.NOT_FOUND,
    405: _C.METHOD_NOT_ALLOWED,
    413: _C.TOO_LARGE,
    414: _C.ADDRESS_TOO_LONG,
    415: _C.UNSUPPORTED_MEDIA_TYPE,
    429: _C.TOO_MANY_REQUESTS,
    503: _C.UNAVAILABLE,
}


class ErrorBody(Schema):
    code: ErrorCode
    message: str = Field(description="A sentence in English, for whoever reads the till’s log.")
    reference: str = Field(description="What to quote when you ask us about it; empty where there is nothing to find.")


class ApiError(Exception):
    """Ends a request with this error. `message`, instead of the code's own, never says what was sent."""

    def __init__(self, code: ErrorCode, message: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(code))
        self.code, self.message, self.headers = code, message, headers or {}


def rendered(content: Any) -> bytes:
    """Always the same bytes for the same content: an answer that is given again is the first one to the letter."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def answer(status: int, content: Any, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(rendered(content), status=status, content_type=_JSON, headers=dict(headers or {}))


def error_content(code: ErrorCode, message: str = "", *, reference: str = "") -> dict[str, str]:
    return {"code": str(code), "message": message or ERRORS[code].message, "reference": reference}


def error_answer(
    code: ErrorCode, message: str = "", *, reference: str = "", headers: Mapping[str, str] | None = None
) -> HttpResponse:
    return answer(ERRORS[code].status, error_content(code, message, reference=reference), headers)


def documented(*codes: ErrorCode, body: type[Schema] = ErrorBody) -> dict[int, type[Schema]]:
    """For an operation's responses: these errors, and those that any request may meet."""
    always = [_C.MALFORMED, _C.UNAUTHORIZED, _C.MISSING_SCOPE, _C.NOT_FOUND, _C.METHOD_NOT_ALLOWED, _C.TOO_LARGE,
              _C.ADDRESS_TOO_LONG, _C.INVALID, _C.TOO_MANY_REQUESTS, _C.INTERNAL_ERROR, _C.UNAVAILABLE]  # fmt: skip
    return dict.fromkeys(sorted({ERRORS[code].status for code in (*always, *codes)}), body)
