"""What comes before every view."""

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.shortcuts import render

from support import second_factor, step_up

# The desk's tickets; what is reported by a retailer's people, and by agents for them; what customers write to support.
_TAKES_FILES = re.compile(
    r"/tickets/|/retailer/reports/(new|[^/]+/write)/$|/compromised/new/$|/account/requests/(new|[^/]+/write)/$"
)


class RefusesTooMuch:
    """Answers a form of megabytes with 413 and a sentence, where Django says 400 and logs a stack trace.

    Django counts no files: a form with files of any size would be read to its end. Files are sent to the tickets', the
    reports' and the requests' pages only, by people who have signed in. Stands before the CSRF check, which reads the
    form first.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        if _length(request) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            if not _brings_files(request):
                return render(None, "413.html", status=413)
            if SESSION_KEY not in request.session:
                # Signed out meanwhile. The files stay unread; the text was kept as a draft while it was typed.
                return redirect_to_login(request.path)
        try:
            request.POST  # noqa: B018
        except (RequestDataTooBig, TooManyFilesSent):
            return render(None, "413.html", status=413)
        except UnreadablePostError:
            # Whoever posted has hung up; the CSRF check deals with it.
            pass
        return None


class StaffConfirmThemselves:
    """No page of the staff's before a second factor in this session, and nothing dangerous without a fresh one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        if not settings.STAFF_SECOND_FACTOR or not request.user.is_staff:
            return None
        return second_factor.demand(request) or step_up.demand(request)


def _length(request: HttpRequest) -> int:
    """Of the body; what does not say its length is not read at all."""
    try:
        return int(request.headers.get("content-length") or 0)
    except ValueError:
        return 0


def _brings_files(request: HttpRequest) -> bool:
    return (
        _TAKES_FILES.match(request.path) is not None
        and request.content_type == "multipart/form-data"
        and _length(request) <= settings.UPLOAD_MAX_REQUEST_BYTES
    )
