"""Locking out who guesses passwords, second factors or mailed codes. Each try is counted before it is checked, by the
same atomic upsert as tries at codes, and given back when it was right: a crowd that guesses at once gets no more tries
than a queue.

Counted are whom a try is for, as it was typed, and the network that it comes from. Whether somebody signs in with the
address makes no difference to either. A block ends with time; that of passwords also with a new one, set by mail.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from redemption import throttle
from redemption.admission import address_key
from redemption.models import Throttle, ThrottleScope, User
from redemption.throttle import Limit
from support.audit import record
from support.models import AuditAction


class Guess(StrEnum):
    """What is tried; each is counted apart, so that who is locked out of one way in has the others."""

    PASSWORD = "password"  # noqa: S105
    FACTOR = "factor"
    # Sign-in and verification codes.
    MAILED_CODE = "code"
    # Not guesses: sign-ups, and mails that anybody can have sent to an address.
    SIGN_UP = "signup"
    MAIL = "mail"


_UNASKED = {Guess.SIGN_UP, Guess.MAIL}


class LockedOutError(Exception):
    """Nothing was tried."""


@dataclass(frozen=True, slots=True)
class Try:
    """`locks`: it is the one that reached a limit. Unless it is given back, the next will be turned away."""

    keys: tuple[str, ...]
    at: datetime
    locks: bool

    def give_back(self) -> None:
        for key in self.keys:
            throttle.take_back(ThrottleScope.SIGN_IN, key, self.at)


def begin(guess: Guess, whom: str, network: str, *, now: datetime | None = None) -> Try:
    """Counts a try. Raises LockedOutError, and has counted nothing, where either counter is full."""
    now = now or timezone.now()
    counted: list[str] = []
    locks = False
    # Always in this order; each counter is its own statement, and no two are held at once.
    for key, limit in (
        (_whom_key(guess, whom), _per_person(guess)),
        (_network_key(guess, network), _per_network(guess)),
    ):
        is_admitted, blocked_until = _count(key, limit, now)
        if not is_admitted:
            Try(tuple(counted), now, False).give_back()
            raise LockedOutError
        counted.append(key)
        locks = locks or blocked_until is not None
    return Try(tuple(counted), now, locks)


@contextmanager
def guessing(guess: Guess, whom: str, request: HttpRequest, *, by: User | None) -> Iterator[None]:
    """Around a form's check, which raises ValidationError for a wrong guess."""
    adapter = get_adapter(request)
    try:
        tried = begin(guess, whom, adapter.get_client_ip(request))
    except LockedOutError:
        raise adapter.validation_error("too_many_login_attempts") from None
    try:
        yield
    except ValidationError:
        failed(tried, guess, by=by)
        raise
    tried.give_back()


def failed(tried: Try, guess: Guess, *, by: User | None) -> None:
    """Records the lock that the try has brought about; each failure itself is recorded where it happens."""
    if tried.locks:
        record(AuditAction.SIGN_IN_LOCKED, by=by or User.objects.system(), of=guess.value)


def may_mail(whom: str, network: str, *, now: datetime | None = None) -> bool:
    """Whether one more mail may go out that anybody can ask for."""
    try:
        begin(Guess.MAIL, whom, network, now=now)
    except LockedOutError:
        return False
    return True


def is_first_use(user: User, code: str, *, now: datetime | None = None) -> bool:
    """Whether this person's code was used never before, in any process: whoever has seen it cannot use it again. An
    authenticator's codes are good for less than the two minutes for which it is remembered."""
    once = Limit(1, timedelta(minutes=2))
    is_admitted, _ = _count(_whom_key(Guess.FACTOR, f"used:{user.pk}:{code}"), once, now or timezone.now())
    return is_admitted


def lift(guess: Guess, whom: str) -> None:
    """Ends the block of one person, who has shown by his mail that he is he."""
    waiting = Throttle.objects.filter(scope=ThrottleScope.SIGN_IN, key=_whom_key(guess, whom))
    waiting.update(recent=[], blocked_until=None)


def _count(key: str, limit: Limit, now: datetime) -> tuple[bool, datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute(throttle.upsert(ThrottleScope.SIGN_IN, limit), {"now": now, f"{ThrottleScope.SIGN_IN}_key": key})
        row = cursor.fetchone()
    return row or (True, None)


def _window() -> timedelta:
    return timedelta(minutes=settings.SIGN_IN_WINDOW_MINUTES)


def _per_person(guess: Guess) -> Limit:
    tries = settings.SIGN_IN_MAILS_PER_PERSON if guess in _UNASKED else settings.SIGN_IN_FAILURES_PER_PERSON
    return Limit(tries, _window())


def _per_network(guess: Guess) -> Limit:
    tries = settings.SIGN_IN_MAILS_PER_NETWORK if guess in _UNASKED else settings.SIGN_IN_FAILURES_PER_NETWORK
    return Limit(tries, _window())


def _whom_key(guess: Guess, whom: str) -> str:
    """A keyed digest: what was typed is kept nowhere, because some type their password where the address belongs."""
    # As the database compares addresses: an i without its dot is an I there, and would have a counter of its own.
    folded = whom.strip().upper().casefold().encode(errors="surrogatepass")
    digest = blake2b(folded, key=settings.SECRET_KEY.encode()[:64], person=b"desk.sign-in", digest_size=16)
    return f"{guess}:whom:{digest.hexdigest()}"


def _network_key(guess: Guess, network: str) -> str:
    return f"{guess}:from:{address_key(network)}"
