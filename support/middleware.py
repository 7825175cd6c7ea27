"""What comes before every view."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import render


class RefusesTooMuch:
    """Answers a form of megabytes with 413 and a sentence, where Django says 400 and logs a stack trace.

    Stands before the CSRF check, which is the first to read the form.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        try:
            request.POST  # noqa: B018
        except RequestDataTooBig:
            return render(None, "413.html", status=413)
        except UnreadablePostError:
            # Whoever posted has hung up; the CSRF check deals with it.
            pass
        return None
