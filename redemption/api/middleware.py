"""What comes before an interface and after it: nothing of browsers, and no answer in another shape than its own."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse

from redemption.api.errors import BY_STATUS, ErrorCode, error_answer
from redemption.breaker import hears
from redemption.code_spotting import CodeSpotter
from redemption.middleware import LONGEST_ADDRESS

Handler = Callable[[HttpRequest], HttpResponse]

PREFIX = "/api/"


class InterfacesStandApart:
    """Takes the cookies off requests of machines, so that no session of a browser does anything there, and gives every
    refusal the interfaces' shape, whoever made it: the middleware behind this one answers browsers."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._spotter = CodeSpotter()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        request.META.pop("HTTP_COOKIE", None)
        response = self._refusal(request) or self.get_response(request)
        if response.status_code >= 300 and not response.headers.get("Content-Type", "").startswith("application/json"):
            allow = {name: response.headers[name] for name in ("Allow",) if name in response.headers}
            response = error_answer(BY_STATUS.get(response.status_code, _other(response.status_code)), headers=allow)
        response.cookies.clear()
        response.headers["Cache-Control"] = "no-store"
        return response

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        query = request.META.get("QUERY_STRING", "")
        if len(request.path.encode()) + len(query) > LONGEST_ADDRESS:
            return error_answer(ErrorCode.ADDRESS_TOO_LONG)
        try:
            texts = [request.path, *(text for name, values in request.GET.lists() for text in (name, *values))]
        except SuspiciousOperation:
            return error_answer(ErrorCode.MALFORMED)
        if any("\0" in text for text in texts):
            return error_answer(ErrorCode.MALFORMED, "An address holds no NUL characters.")
        if _length(request) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return error_answer(ErrorCode.TOO_LARGE)
        # Before anything could take it for a form.
        if _length(request) and request.content_type != "application/json":
            return error_answer(ErrorCode.UNSUPPORTED_MEDIA_TYPE)
        try:
            return error_answer(ErrorCode.LOOKS_LIKE_A_CODE) if self._spotter.holds_code(texts) else None
        except (OperationalError, InterfaceError) as error:
            hears(request.path_info, error)
            return error_answer(ErrorCode.UNAVAILABLE)


def _length(request: HttpRequest) -> int:
    try:
        return int(request.headers.get("Content-Length") or 0)
    except ValueError:
        return 0


def _other(status: int) -> ErrorCode:
    # A redirect too: none of ours leads anywhere.
    return ErrorCode.INTERNAL_ERROR if status >= 500 else ErrorCode.NOT_FOUND if status < 400 else ErrorCode.MALFORMED
