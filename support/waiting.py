"""What waits for a second person, and what was decided: who sees it, who may decide it, and why somebody may not."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import BigIntegerField, Case, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from redemption.models import ApprovalAction, ApprovalRequest, RequestStatus, User
from redemption.roles import Permission
from support.actions.decisions import power_refusal
from support.models import CreditLimit, CreditPolicy
from support.queue import span_in_words

# Then it is time that somebody looks.
LONG = timedelta(days=1)
_NEEDS_NO_LIMIT = [ApprovalAction.VOID, ApprovalAction.REPLACE]
_Requests = QuerySet[ApprovalRequest]


def visible_to(user: User) -> _Requests:
    """Whoever decides, or reads the audit trail, sees all; others what they asked for."""
    requests = ApprovalRequest.objects.select_related("requested_by")
    return requests if sees_all(user) else requests.filter(requested_by=user.pk)


def opens(asked: ApprovalRequest, user: User) -> bool:
    """The same, of one that a page names."""
    return sees_all(user) or asked.requested_by_id == user.pk


def sees_all(user: User) -> bool:
    return user.may(Permission.APPROVE) or user.may(Permission.VIEW_AUDIT)


def waiting(user: User, *, now: datetime) -> _Requests:
    return visible_to(user).filter(status=RequestStatus.PENDING, expires_at__gt=now)


def with_status(user: User, status: RequestStatus, *, now: datetime) -> _Requests:
    """What nobody decided in time has expired, also before the hourly job says so."""
    requests = visible_to(user)
    if status == RequestStatus.EXPIRED:
        return requests.filter(Q(status=status) | Q(status=RequestStatus.PENDING, expires_at__lte=now))
    return requests.filter(status=status)


def decidable_by(user: User, *, now: datetime) -> _Requests:
    """What waits for this person: the same that decisions.approve() lets him approve, as one query."""
    if not user.may(Permission.APPROVE):
        return ApprovalRequest.objects.none()
    newest = CreditPolicy.objects.order_by("-pk").values("pk")[:1]
    # Of what takes back or moves, whoever may approve any credit of the unit decides; of a credit its whole amount.
    amount = Case(
        When(action=ApprovalAction.CREDIT, then=Cast(KT("payload__amount"), BigIntegerField())), default=Value(1)
    )
    limit = CreditLimit.objects.filter(
        policy=Subquery(newest), role=user.role, unit=OuterRef("unit"), approves__gte=OuterRef("amount")
    )
    power = Q(action__in=_NEEDS_NO_LIMIT) | Q(Exists(limit))
    if user.may(Permission.MANAGE_CREDITS):
        power |= Q(action=ApprovalAction.POLICY)
    return (
        waiting(user, now=now)
        .exclude(requested_by=user.pk)
        .exclude(customers__contains=[user.pk])
        .annotate(unit=KT("payload__unit"), amount=amount)
        .filter(power)
    )


def asked_by(user: User, *, now: datetime) -> _Requests:
    return waiting(user, now=now).filter(requested_by=user.pk)


def of_others(user: User, *, now: datetime) -> _Requests:
    """What waits, and this person may neither decide nor has asked for."""
    mine = decidable_by(user, now=now).order_by().values("pk")
    return waiting(user, now=now).exclude(requested_by=user.pk).exclude(pk__in=mine)


def oldest_first(requests: _Requests, *, after: ApprovalRequest | None = None) -> _Requests:
    if after:
        at = after.requested_at
        requests = requests.filter(Q(requested_at__gt=at) | Q(requested_at=at, pk__gt=after.pk))
    return requests.order_by("requested_at", "pk")


def newest_first(requests: _Requests, *, before: ApprovalRequest | None = None) -> _Requests:
    if before:
        at = before.requested_at
        requests = requests.filter(Q(requested_at__lt=at) | Q(requested_at=at, pk__lt=before.pk))
    return requests.order_by("-requested_at", "-pk")


def next_for(user: User, *, after: ApprovalRequest, now: datetime) -> ApprovalRequest | None:
    """What this person decides next: the one that waits next longest, or else from the longest again."""
    others = decidable_by(user, now=now).exclude(pk=after.pk)
    return oldest_first(others, after=after).first() or oldest_first(others).first()


def previous_for(user: User, *, before: ApprovalRequest, now: datetime) -> ApprovalRequest | None:
    return newest_first(decidable_by(user, now=now), before=before).first()


def how_many(user: User, *, now: datetime, most: int) -> int:
    """How many wait for this person, `most` and one more at most. One query, on the index of what waits."""
    return decidable_by(user, now=now).order_by()[: most + 1].count()


def why_not(asked: ApprovalRequest, user: User, *, now: datetime, most: Mapping[str, int] | None = None) -> str:
    """Why this person cannot decide it, in a sentence; "" where he can: then decisions.approve() lets him. `most` is
    policy.approvable(), for whoever asks about many."""
    if asked.requested_by_id == user.pk:
        return "You asked for it: another person decides."
    if user.pk in asked.customers:
        return "You are the customer: a colleague decides."
    if not user.may(Permission.APPROVE):
        return "Your role decides nothing that others ask for."
    if asked.status != RequestStatus.PENDING:
        return f"This was decided before: {asked.get_status_display().lower()}."
    if asked.expires_at <= now:
        return "This request has expired: it must be asked for anew."
    return power_refusal(asked, user, most=most)


def waits(asked: ApprovalRequest, now: datetime) -> str:
    """For how long, in words that “ago” goes with."""
    span = now - asked.requested_at
    return span_in_words(span) if span >= timedelta(minutes=1) else "a moment"
