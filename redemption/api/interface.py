"""An interface as django-ninja serves it, with this project's errors, bodies and keys."""

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain, islice
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.urls import URLPattern, URLResolver
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import HttpBearer

from redemption.api import limits
from redemption.api.bodies import StrictParser
from redemption.api.errors import ApiError, ErrorCode, error_answer
from redemption.api.keys import find_key, note_use
from redemption.breaker import hears
from redemption.code_format import MAX_TYPED
from redemption.code_spotting import CodeSpotter
from redemption.models import ApiKey, ApiScope
from redemption.models.account import random_reference
from redemption.portal_wall import WallError

logger = logging.getLogger(__name__)

_RETRY_SOON = {"Retry-After": "5"}
# Looking for codes takes time, and whoever sends more has sent no honest request.
_MOST_TEXTS = 1_000
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class ApiHttpRequest(HttpRequest):
    """A request with a key that may do this. `body_read` is its JSON."""

    auth: ApiKey
    body_read: Any


class KeyWith(HttpBearer):
    """Opens an operation to keys with a scope. Whether a key is unknown, has expired or was revoked, nobody is told."""

    def __init__(self, scope: ApiScope) -> None:
        super().__init__()
        self._scope = scope

    @sensitive_variables()
    def __call__(self, request: HttpRequest) -> ApiKey:
        now = timezone.now()
        key: ApiKey | None = super().__call__(request)
        if not key:
            limits.count_failure(request, now)
            raise AuthenticationError
        limits.count_request(key, now)
        note_use(key, now)
        if self._scope not in key.scopes:
            raise ApiError(ErrorCode.MISSING_SCOPE)
        return key

    @sensitive_variables()
    def authenticate(self, request: HttpRequest, token: str) -> ApiKey | None:
        return find_key(token, timezone.now())


def make_api(*, title: str, version: str, description: str, namespace: str, code_field: str = "") -> NinjaAPI:
    """No page of documentation: its scripts would come from elsewhere. The description itself is open to anybody.
    `code_field` is where a body may hold a code; anywhere else it is refused."""
    api = NinjaAPI(
        title=title,
        version=version,
        description=description,
        urls_namespace=namespace,
        docs_url=None,
        docs_decorator=require_safe,
        parser=StrictParser(),
    )
    handlers: Mapping[type[Exception], Any] = {
        ApiError: _on_api_error,
        AuthenticationError: _on_no_key,
        ValidationError: partial(_on_invalid, code_field=code_field),
        HttpError: _on_http_error,
        Http404: lambda request, error: error_answer(ErrorCode.NOT_FOUND),
        RequestDataTooBig: lambda request, error: error_answer(ErrorCode.TOO_LARGE),
        UnreadablePostError: lambda request, error: error_answer(ErrorCode.MALFORMED),
        OperationalError: _on_outage,
        InterfaceError: _on_outage,
        WallError: _on_outage,
        Exception: _on_anything,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)
    return api


def mounted(api: NinjaAPI) -> Any:
    """For `path()`: the interface's addresses, which ask for keys and not for somebody who has signed in."""
    patterns, app_name, namespace = api.urls
    for pattern in _leaves(patterns):
        pattern.callback.login_required = False  # type: ignore[attr-defined]
    return patterns, app_name, namespace


def _leaves(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _leaves(pattern.url_patterns)
        else:
            yield pattern


def _on_api_error(request: HttpRequest, error: ApiError) -> HttpResponse:
    return error_answer(error.code, error.message, headers=error.headers)


def _on_no_key(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return error_answer(ErrorCode.UNAUTHORIZED, headers=_CHALLENGE)


def _on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """The package's own: it wraps what the parser raised."""
    if isinstance(error.__cause__, ApiError):
        return _on_api_error(request, error.__cause__)
    return error_answer(ErrorCode.MALFORMED)


@sensitive_variables()
def _on_invalid(request: HttpRequest, error: ValidationError, *, code_field: str) -> HttpResponse:
    """Names the field, and says nothing of what stood in it. A code is told apart by its shape, and never looked up."""
    body = getattr(request, "body_read", None)
    if code_field and isinstance(body, dict):
        body = {name: value for name, value in body.items() if name != code_field}
    texts = islice(_texts(body), _MOST_TEXTS)
    if CodeSpotter().holds_code(text[:MAX_TYPED] for text in texts):
        return error_answer(ErrorCode.LOOKS_LIKE_A_CODE)
    found = error.errors[0]
    if found["type"] == "extra_forbidden":
        # Its name was made up by the caller.
        return error_answer(ErrorCode.INVALID, "A field of the body is none of this operation's.")
    # “body”, “path” or “query”, then for a body the operation's own name for it.
    place = ".".join(map(str, found["loc"][2 if found["loc"][0] == "body" else 1 :])) or "The body"
    return error_answer(ErrorCode.INVALID, f"{place}: {found['msg']}.")


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case int() | float():
            yield str(value)
        case list() | tuple():
            yield from chain.from_iterable(map(_texts, value))
        case dict():
            yield from chain.from_iterable(map(_texts, value.items()))


def _on_outage(request: HttpRequest, error: Exception) -> HttpResponse:
    # What the wall says of itself is for the log; the database's words may hold values.
    hears(request.path_info, error)
    logger.error("Unavailable: %s", error if isinstance(error, WallError) else type(error).__name__)
    return error_answer(ErrorCode.UNAVAILABLE, headers=_RETRY_SOON)


def _on_anything(request: HttpRequest, error: Exception) -> HttpResponse:
    reference = random_reference("ER")
    logger.error("Unexpected, told as %s", reference, exc_info=error)
    return error_answer(ErrorCode.INTERNAL_ERROR, reference=reference)
