"""A request that comes twice has one effect and one answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from zlib import crc32

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from redemption import locks
from redemption.api.errors import ERRORS, ApiError, ErrorCode, answer, error_content, rendered
from redemption.models import ApiKey, ApiRequest

HEADER = "Idempotency-Key"
REPLAYED = {"Idempotent-Replayed": "true"}
LONGEST = 100
# For an operation's documentation.
PARAMETER: Mapping[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": True,
    "description": "Chosen by the caller, new for each new wish. Sent again with the same request, the first answer "
    "comes again and nothing happens twice; kept for 30 days.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[!-~]+$"},
}
_Effect = Callable[[], tuple[int, Mapping[str, Any]]]
# Refusals of the domain: the same request would meet them again. All others may be sent again.
_STORED = frozenset({404, 409, 413, 422})


@dataclass(frozen=True, slots=True)
class Wish:
    """A request and its key. `key` is a digest of what was sent: whoever calls may put anything there."""

    owner: str
    key: str
    request_hash: bytes = field(repr=False)

    def hold(self) -> None:
        """Until the transaction ends, others with the key wait: there is no row yet to wait for."""
        locks.take(locks.API_REQUESTS, crc32(f"{self.owner}:{self.key}".encode()) >> 1)

    def answered(self) -> HttpResponse | None:
        """The answer that it had before. ApiError: the key was used for another request."""
        try:
            stored = ApiRequest.objects.get(owner=self.owner, key=self.key)
        except ApiRequest.DoesNotExist:
            return None
        if bytes(stored.request_hash) != self.request_hash:
            raise ApiError(ErrorCode.KEY_REUSED)
        return answer(stored.status, stored.answer, REPLAYED)

    def keep(self, status: int, content: Mapping[str, Any]) -> None:
        ApiRequest.objects.create(
            owner=self.owner,
            key=self.key,
            request_hash=self.request_hash,
            status=status,
            answer=content,
            at=timezone.now(),
        )


@sensitive_variables("name", "body", "parts")
def wish_of(request: HttpRequest, api_key: ApiKey) -> Wish:
    """ApiError: it has no key, or one of another form."""
    name = _key_of(request)
    body = rendered(getattr(request, "body_read", None))
    parts = (str(request.method).encode(), request.path.encode(), body)
    return Wish(
        api_key.owner, _keyed(b"desk.api_name", name.encode()).hex(), _keyed(b"desk.api_hash", b"\0".join(parts))
    )


def once(request: HttpRequest, api_key: ApiKey, effect: _Effect) -> HttpResponse:
    """What `effect` answers, a status and JSON, stored in the transaction of what it does. It may refuse by ApiError.

    Of two at once with the same key, the second waits and then gets the first one's answer.
    """
    wish = wish_of(request, api_key)
    with transaction.atomic():
        wish.hold()
        if again := wish.answered():
            return again
        status, content = _answer_of(effect)
        wish.keep(status, content)
    return answer(status, content)


def _key_of(request: HttpRequest) -> str:
    name = request.headers.get(HEADER)
    if name is None:
        raise ApiError(ErrorCode.KEY_MISSING)
    if not 0 < len(name) <= LONGEST or not all("!" <= symbol <= "~" for symbol in name):
        raise ApiError(ErrorCode.KEY_MALFORMED)
    return name


def _answer_of(effect: _Effect) -> tuple[int, Mapping[str, Any]]:
    try:
        # A part of its own: what was refused has left nothing behind.
        with transaction.atomic():
            return effect()
    except ApiError as refused:
        status = ERRORS[refused.code].status
        if status not in _STORED:
            raise
        return status, error_content(refused.code, refused.message)


def _keyed(person: bytes, content: bytes) -> bytes:
    return blake2b(content, key=settings.SECRET_KEY.encode()[:64], person=person, digest_size=32).digest()
