"""The rows behind the figures: the credits that the filters let through, and what they add up to."""

from dataclasses import dataclass

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.expressions import Combinable

from support.models import CreditLimit, ManualCredit, format_amount
from support.reports.filters import JUST_UNDER, Filters

PAGE = 50


def credit_rows(filters: Filters) -> "QuerySet[ManualCredit]":
    """All that match with all that a row names, the newest first."""
    return (
        credits(filters)
        .select_related(
            "account", "program", "reason", "ticket", "retailer", "granted_by", "approval__decided_by", "reversal"
        )
        .order_by("-granted_at", "-pk")
    )


def credits(filters: Filters) -> "QuerySet[ManualCredit]":
    """All that match, in no order and without what they name."""
    found = ManualCredit.objects.order_by()
    if not filters.is_of_all_days:
        found = found.filter(granted_at__gte=filters.days.since, granted_at__lt=filters.days.before)
    exact = {
        "unit": filters.unit,
        "program": filters.program,
        "granted_by": filters.agent,
        "reason__slug": filters.reason,
        "account__reference": filters.account_reference,
        "code": filters.serial,
        "amount": filters.amount,
        "receipt_digest": bytes.fromhex(filters.receipt),
    }
    found = found.filter(**{name: value for name, value in exact.items() if value})
    if filters.retailer:
        found = found.filter(retailer=None if filters.retailer == "none" else int(filters.retailer))
    if filters.approved:
        found = found.filter(approval__isnull=filters.approved == "no")
    if filters.reversed:
        found = found.filter(reversal__isnull=filters.reversed == "no")
    if filters.contact:
        found = found.filter(customer_wrote=filters.contact == "yes")
    if filters.domain:
        found = found.filter(account__email__iendswith=f"@{filters.domain}")
    if filters.tenth:
        found = found.filter(_in_tenth(int(filters.tenth)))
    return found


def _in_tenth(tenth: int) -> Q:
    """That a person granted it alone, and that it lies in that tenth of his limit for one credit, by the version in
    force then; the last tenth holds the limit itself."""
    ends = {"end__gte" if tenth == JUST_UNDER else "end__gt": OuterRef("amount")}
    limits = CreditLimit.objects.filter(
        policy=OuterRef("policy"), role=OuterRef("granted_as"), unit=OuterRef("unit"), single__gt=0
    )
    inside = limits.alias(begin=_tenths(tenth), end=_tenths(tenth + 1)).filter(begin__lte=OuterRef("amount"), **ends)
    return Q(Exists(inside), approval=None)


def _tenths(number: int) -> Combinable:
    """So many tenths of the limit, rounded up."""
    return (F("single") * number + 9) / 10


@dataclass(frozen=True, slots=True)
class Total:
    """Of one unit: different currencies are never added."""

    unit: str
    count: int
    amount: int

    @property
    def shown(self) -> str:
        return format_amount(self.amount, self.unit)


def totals(filters: Filters) -> list[Total]:
    found = credits(filters).values_list("unit").annotate(Count("pk"), Sum("amount")).order_by("unit")
    return [Total(unit, count, int(amount)) for unit, count, amount in found]


def page_of(filters: Filters, *, before: int | None) -> list[ManualCredit]:
    """The newest that match and are older than the credit of this id; one more than a page where there are more."""
    found = credit_rows(filters)
    if before is not None:
        last = ManualCredit.objects.filter(pk=before).values_list("granted_at", flat=True).first()
        if last is None:
            return []
        # The first condition is for the index, the second for credits of the same moment.
        found = found.filter(granted_at__lte=last).exclude(granted_at=last, pk__gte=before)
    return list(found[: PAGE + 1])
