"""redeem()'s first transaction: the key that makes a repeated request one request, and the counted try."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.views.decorators.debug import sensitive_variables

from redemption import breaker, challenge, claim
from redemption.confirming import lend_place, return_place
from redemption.models import Account, AttemptOutcome, Channel, IdempotencyKey, ThrottleScope
from redemption.patterns import Typed
from redemption.references import Untried, sign
from redemption.refusals import RefusalReason
from redemption.results import Result
from redemption.throttle import Limit, take_back

LEASE = timedelta(seconds=60)
PROGRAM_STRIPES = 64
LONGEST_KEY = 100


class KeyRefusedError(Exception):
    """An idempotency key has 1 to 100 characters, none of them NUL."""


class KeyConflictError(Exception):
    """The key was used for another request."""


class KeyRunningError(Exception):
    """The first request with this key is still running; ask again in a moment."""


@dataclass(frozen=True, slots=True)
class Request:
    account: Account
    channel: Channel
    address: str
    apparent_country: str
    now: datetime
    wanted: AttemptOutcome
    # Whose keys are told apart from whose: the account's own, or such as “program:2”, for all accounts together.
    key_scope: str = ""

    def untried(self, kind: Untried, blocked_until: datetime | None = None) -> Result:
        return Result(
            AttemptOutcome.REFUSED,
            sign(kind, self.account.pk, self.now),
            untried=kind,
            reason=RefusalReason.ATTEMPTS_SPENT if kind == Untried.THROTTLED else None,
            blocked_until=blocked_until,
        )


class Admission:
    """Transaction 1: the key's lease and the counted try. `turned_away` and `finished` end the run."""

    def __init__(self, request: Request, typed: Typed, key: str) -> None:
        _refuse_enclosing_transaction()
        if not 0 < len(key) <= LONGEST_KEY or "\0" in key:
            raise KeyRefusedError
        now, account = request.now, request.account
        self.turned_away: Result | None = None
        self.finished: int | None = None
        self.account_id = account.pk
        self.lease_until = now + LEASE
        # The moment of the preview whose place among the account's counted tries this one has.
        self.lent_by: datetime | None = None
        scope = request.key_scope or f"account:{account.pk}"
        request_hash = _request_hash(request, typed)
        window = timedelta(hours=settings.ATTEMPT_WINDOW_HOURS)
        self.address_key = address_key(request.address)
        # Spread over many rows, because one counter for all would make every redemption wait for the last.
        self.program_key = f"{account.program_id}:{random.randrange(PROGRAM_STRIPES)}"  # noqa: S311
        begin = claim.begin(
            account=Limit(settings.ATTEMPTS_PER_ACCOUNT, window),
            address=Limit(settings.ATTEMPTS_PER_ADDRESS if request.address else 0, window),
            program=Limit(-(-settings.ATTEMPTS_PER_PROGRAM // PROGRAM_STRIPES), timedelta(seconds=10)),
        )
        keys = {
            ThrottleScope.ACCOUNT: str(account.pk),
            ThrottleScope.ADDRESS: self.address_key,
            ThrottleScope.PROGRAM: self.program_key,
        }
        parameters: dict[str, Any] = {
            "scope": scope,
            "key": key,
            "request_hash": request_hash,
            "lease_until": self.lease_until,
            "now": now,
            **{f"{limit_scope}_key": limit_key for limit_scope, limit_key in keys.items()},
        }
        with connection.cursor() as cursor:
            cursor.execute(begin, parameters)
            row = cursor.fetchone()
        if row is None:
            stored = IdempotencyKey.objects.filter(scope=scope, key=key).first()
            if stored and bytes(stored.request_hash) != request_hash:
                raise KeyConflictError
            # Gone already: the request that had it was turned away.
            if not stored or stored.attempt_id is None:
                raise KeyRunningError
            self.finished = stored.attempt_id
            return
        self.counted = keys
        # A run after the lease was counted when the key's first one was.
        self.key_id, self.counted_at = row[:2]
        decisions = dict(zip(keys, zip(row[2::2], row[3::2], strict=True), strict=True))
        blocks = {limit_scope: until for limit_scope, (admitted, until) in decisions.items() if admitted is False}
        if blocks:
            self._turn_away_or_let_past(request, typed, blocks)

    @sensitive_variables("typed")
    def _turn_away_or_let_past(self, request: Request, typed: Typed, blocks: dict[ThrottleScope, datetime]) -> None:
        """A flood does not keep out who has shown that he reads the account's mail; nor does the account's own limit
        keep out the code whose preview has reached it. Nobody else's counter lets anybody past."""
        now, account_id = request.now, request.account.pk
        for blocked in blocks:
            del self.counted[blocked]
        left = set(blocks)
        if ThrottleScope.PROGRAM in left and challenge.has_passed(account_id, now):
            left.remove(ThrottleScope.PROGRAM)
            # Not counted there: nobody's try of the same moment is given back for this one.
            self.program_key = ""
        if ThrottleScope.ACCOUNT in left and request.wanted == AttemptOutcome.REDEEMED:
            self.lent_by = lend_place(account_id, typed.digests, now)
            if self.lent_by:
                left.remove(ThrottleScope.ACCOUNT)
        if not left:
            return
        # Nothing is stored on the key, and the scopes that had let it in have not seen it.
        self.undo()
        kind = Untried.CHALLENGE if left == {ThrottleScope.PROGRAM} else Untried.THROTTLED
        self.turned_away = request.untried(kind, max(blocks[scope] for scope in left))

    def answered(self) -> int | None:
        """The attempt that another run of the same key made, because this one outlived its lease."""
        return IdempotencyKey.objects.filter(pk=self.key_id).values_list("attempt", flat=True).first()

    def undo(self) -> None:
        """Nothing happened: the key may be used again and the try is not counted."""
        try:
            with transaction.atomic():
                IdempotencyKey.objects.filter(pk=self.key_id, attempt=None).delete()
                self._uncount()
        except (DatabaseError, InterfaceError):
            # The database is away. Until it is back the key waits for its lease to end, and the try is counted.
            breaker.redeeming.afterwards(self._undo_late)

    def _undo_late(self) -> None:
        """The same when the database is back, unless another run has the key: that goes by this try, and is not
        counted again."""
        with transaction.atomic():
            ours = IdempotencyKey.objects.filter(pk=self.key_id, attempt=None, lease_until=self.lease_until)
            if ours.delete()[0]:
                self._uncount()

    def _uncount(self) -> None:
        for scope, key in self.counted.items():
            take_back(scope, key, self.counted_at)
        self.return_place()

    def return_place(self) -> None:
        """The preview counts again in the place of this try."""
        if self.lent_by:
            return_place(self.account_id, self.lent_by, self.counted_at)


def address_key(address: str) -> str:
    """A keyed digest of the address: counters need to tell addresses apart, not to know them. Of IPv6 its network's 64
    bits: whoever has one address there has all the others."""
    return blake2b(
        _network(address).encode(), key=settings.SECRET_KEY.encode()[:64], person=b"desk.address", digest_size=16
    ).hexdigest()


def _network(address: str) -> str:
    try:
        # A zone, as in fe80::1%eth0, is whatever its sender says.
        read = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(read, IPv6Address):
        # ::ffff:192.0.2.1 is an IPv4 address in another dress.
        return str(read.ipv4_mapped) if read.ipv4_mapped else str(ip_network((read, 64), strict=False))
    return str(read)


def _request_hash(request: Request, typed: Typed) -> bytes:
    """Keyed, and over the digests: whoever reads the table cannot try codes against it."""
    content = b"\0".join(
        [request.wanted.encode(), str(request.account.pk).encode(), *typed.digests, *typed.near_digests]
    )
    return blake2b(content, key=settings.SECRET_KEY.encode()[:64], person=b"desk.request", digest_size=16).digest()


def _refuse_enclosing_transaction() -> None:
    """What `atomic(durable=True)` checks, without the two round trips that one statement does not need."""
    if connection.in_atomic_block and not getattr(connection.atomic_blocks[-1], "_from_testcase", False):
        raise RuntimeError("redeem() must not run inside a transaction")
