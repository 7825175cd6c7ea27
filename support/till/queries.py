"""What a till reads: its retailer's cards and reports, and nobody else's."""

from typing import Any

from ninja import Schema

from redemption import portal_wall
from redemption.models import Code, CodeStatus, Replacement, Retailer
from support.actions.reports import SMALL
from support.models import Answer, CompromiseKind, CompromiseReport, Outcome, Problem, ReportedCard
from support.references import read_reference
from support.till.schemas import CardOut, ReportedCardOut, ReportOut

_REPORT = ("id", "reference", "kind", "created_at", "frozen_at", "answered_at", "total", "ticket__status")


def card_of(retailer: Retailer, serial: int) -> CardOut | None:
    # No window of the wall shows cards: the retailer stands in the query.
    rows = Code.objects.filter(pk=serial, batch__retailer=retailer).select_related("batch")
    card = rows.first()
    if not card:
        return None
    with portal_wall.inside([retailer.pk]):
        listed = CompromiseReport.objects.filter(retailer=retailer, cards__serial=serial).order_by("-pk")
        references = list(listed.values_list("reference", flat=True)[:20])
    # A successor expires with the card that it replaced.
    inherited = Replacement.objects.filter(successor_id=serial).values_list("expires_on", flat=True).first()
    expires_on = inherited if card.batch.is_replacement else card.batch.expires_on
    return CardOut(
        serial=serial,
        status=CodeStatus(card.status).name.lower(),
        activated_at=card.activated_at,
        expires_on=expires_on.isoformat() if expires_on else None,
        reports=references,
    )


def report_of(retailer: Retailer, reference: str, after: int) -> ReportOut | None:
    written = read_reference(reference)
    if not written:
        return None
    with portal_wall.inside([retailer.pk]):
        reports = CompromiseReport.objects.filter(retailer=retailer, reference=written)
        found = reports.select_related("ticket").only(*_REPORT).first()
        return ReportOut(**read_report(found, after)) if found else None


def read_report(report: CompromiseReport, after: int = 0) -> dict[str, Any]:
    """Columns that the portal's role may read, and no others: within the wall and without."""
    columns = ("pk", "line", "serial", "answer", "problem", "redeemed_at", "outcome", "decided_at")
    rows = ReportedCard.objects.filter(report_id=report.pk, pk__gt=after).order_by("pk")
    cards = list(rows.values(*columns)[: SMALL + 1])
    shown = cards[:SMALL]
    return {
        "reference": report.reference,
        "kind": CompromiseKind(report.kind),
        "stage": report.stage,
        "received_at": report.created_at,
        "frozen_at": report.frozen_at,
        "answered_at": report.answered_at,
        "total": report.total,
        "cards": [
            ReportedCardOut(
                line=row["line"],
                serial=row["serial"],
                answer=Answer(row["answer"]),
                problem=Problem(row["problem"]) if row["problem"] else None,
                redeemed_at=row["redeemed_at"],
                outcome=Outcome(row["outcome"]) if row["outcome"] else None,
                decided_at=row["decided_at"],
            )
            for row in shown
        ],
        "next": shown[-1]["pk"] if len(cards) > SMALL else None,
    }


def as_json(content: Schema) -> dict[str, Any]:
    """As it is kept, sent and sent again."""
    return content.model_dump(mode="json")
