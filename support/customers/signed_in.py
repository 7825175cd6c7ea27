"""How a customer signs in: his address, whether it is confirmed, and where he is signed in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession

from redemption.requests import StaffRequest

_MOST_SESSIONS = 10
# What a browser calls itself holds the names of several: the first of these that it has is its own.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_DEVICES = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
    ("CrOS", "Chromebook"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Session:
    """`what`: “Firefox, Android”, as far as the browser says so."""

    what: str
    address: str
    since: datetime
    is_this: bool


def sign_in_of(request: StaffRequest) -> dict[str, Any]:
    sessions = UserSession.objects.filter(user_id=request.user.pk).order_by("-pk")
    found = list(sessions[: _MOST_SESSIONS + 1])
    this = request.session.session_key
    return {
        "is_confirmed": is_confirmed(request),
        "sessions": [
            Session(what_of(one.user_agent), one.ip, one.created_at, one.session_key == this)
            for one in found[:_MOST_SESSIONS]
        ],
        "has_more_sessions": len(found) > _MOST_SESSIONS,
    }


def is_confirmed(request: StaffRequest) -> bool:
    """Whether the address that he signs in with is proved to be his."""
    own = EmailAddress.objects.filter(user_id=request.user.pk, verified=True)
    return bool(own.filter(email__iexact=request.user.email).exists())


def what_of(agent: str) -> str:
    words = [next((name for mark, name in known if mark in agent), "") for known in (_BROWSERS, _DEVICES)]
    return ", ".join(filter(None, words)) or "Unknown browser"
