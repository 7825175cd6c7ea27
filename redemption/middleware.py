"""What comes before customers' and everybody's views. What an address may not hold: codes, because addresses are logged
and shared, and NUL, which no text column takes. And what is answered without the database."""

from collections.abc import Callable
from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from redemption.breaker import REDEEMING, redeeming
from redemption.code_spotting import CodeSpotter
from redemption.views.away import unavailable

Handler = Callable[[HttpRequest], HttpResponse]

# Our own have a few hundred; looking for codes in one takes time that grows with it.
LONGEST_ADDRESS = 4096
STATUS = "/status/"


class CodesStayOutOfAddresses:
    """Takes a code out of the address that somebody pasted it into, and says where codes belong.

    The answer is a redirect, which Django does not log.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._spotter = CodeSpotter()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if len(request.path.encode()) + len(request.META.get("QUERY_STRING", "")) > LONGEST_ADDRESS:
            return render(None, "414.html", status=414)
        texts = [value for values in request.GET.lists() for value in (values[0], *values[1])]
        if "\0" in request.path or any("\0" in text for text in texts):
            raise BadRequest("An address holds no NUL characters.")
        in_query, in_path = (self._spotter.holds_code(place) for place in (texts, [request.path]))
        if in_query or in_path:
            messages.warning(request, "Codes don’t belong in addresses: type them into the look-up.")
            return redirect("/" if in_path else request.path)
        return self.get_response(request)


class OutagesNeedNoDatabase:
    """The status page answers whoever asks the same, so no session is looked up for it; and while the breaker is open
    nobody who wants to redeem waits for the database before he is told: not even for who is signed in.

    Stands before everything that asks the database: sessions, and the look for codes in addresses.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == STATUS:
            request.META.pop("HTTP_COOKIE", None)
        if not request.path_info.startswith(REDEEMING):
            return self.get_response(request)
        if not redeeming.lets_in():
            redeeming.saw(None, timezone.now())
            return unavailable(request)
        response = self.get_response(request)
        # Those who are not signed in are sent on, and a key that is none is refused, sometimes without the database.
        if response.status_code == HTTPStatus.OK:
            redeeming.reached()
        return response
