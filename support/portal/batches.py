"""A retailer's batches, with the columns that the portal may read: counts and value, and nobody who redeemed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet

from redemption.models import Batch, BatchPurpose, BatchStatus, BatchTally, Retailer
from redemption.money import format_minor
from support.models import Answer, ReportedCard

_TONES = {
    BatchStatus.ISSUED: "waiting",
    BatchStatus.ACTIVE: "good",
    BatchStatus.FROZEN: "blocked",
    BatchStatus.CLOSED: "ended",
}
# What is issued is printed and delivered, and works nowhere yet.
_WORDS = {BatchStatus.ISSUED: "Not active yet", BatchStatus.ACTIVE: "Active", BatchStatus.FROZEN: "Frozen"}


@dataclass(frozen=True, slots=True)
class Row:
    batch: Batch

    @property
    def word(self) -> str:
        status = BatchStatus(self.batch.status)
        return _WORDS.get(status, str(status.label))

    @property
    def tone(self) -> str:
        return _TONES[BatchStatus(self.batch.status)]

    @property
    def is_made_singly(self) -> bool:
        """Standing batches of replacements and digital cards, filled card by card."""
        return self.batch.purpose != BatchPurpose.PRINTED

    @property
    def purpose(self) -> str:
        return BatchPurpose(self.batch.purpose).label if self.is_made_singly else ""

    @property
    def face_value(self) -> str:
        """Of one card; empty where each has its own."""
        if self.batch.purpose == BatchPurpose.REPLACEMENTS:
            return ""
        return format_minor(self.batch.value, self.batch.currency) if self.batch.value else "given away"

    @property
    def tally(self) -> BatchTally:
        """Nothing has happened where there is none yet."""
        return getattr(self.batch, "tally", None) or BatchTally()

    @property
    def outstanding(self) -> str:
        return format_minor(self.tally.outstanding, self.batch.currency) if self.batch.currency else ""

    @property
    def grants(self) -> str:
        return self.batch.product.grants

    def is_expired(self, now: datetime) -> bool:
        last = self.batch.expires_on
        return last is not None and last < self.batch.product.program.today(now)


def rows(retailers: Collection[Retailer], *, before: int | None = None, most: int) -> list[Row]:
    """The newest first; within the wall."""
    found = _readable().filter(retailer__in=retailers).order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    return [Row(batch) for batch in found[:most]]


def row(retailers: Collection[Retailer], reference: str) -> Row | None:
    batch = _readable().filter(retailer__in=retailers, reference=reference).first()
    return Row(batch) if batch else None


def frozen_by_reports(batch: Batch) -> int:
    """Its cards that stand frozen in a report that nobody has judged."""
    reported = ReportedCard.objects.undecided([Answer.FROZEN]).filter(
        report__retailer=batch.retailer_id, serial__range=(batch.first_serial, batch.last_serial)
    )
    return int(reported.aggregate(cards=Count("serial", distinct=True))["cards"])


def _readable() -> "QuerySet[Batch]":
    return Batch.objects.select_related("product__program", "retailer", "tally").only(
        *("reference", "status", "quantity", "serials", "expires_on", "value", "currency", "purpose", "created_at"),
        *(f"product__{name}" for name in ("name", "sku", "benefit", "value", "currency", "months", "days")),
        *("product__program__name", "product__program__time_zone", "retailer__name", "retailer__slug"),
        *(f"tally__{name}" for name in ("issued", "activated", "redeemed", "outstanding")),
    )
