"""How far a report is, read from it and asked of the database: both say the same."""

import pytest
from django.utils import timezone

from support.models import CompromiseReport, Stage, Ticket, TicketStatus
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_report_is_found_in_the_stage_that_it_says_and_in_no_other():
    now = timezone.now()
    stages = {}
    for frozen_at in (None, now):
        for answered_at in (None, now):
            for status in (TicketStatus.NEW, TicketStatus.WAITING_FOR_RETAILER, TicketStatus.SOLVED):
                report = factories.report(factories.card())
                CompromiseReport.objects.filter(pk=report.pk).update(
                    frozen_at=frozen_at, answered_at=answered_at, undecided=0
                )
                Ticket.objects.filter(pk=report.ticket_id).update(status=status)
                stages[report.pk] = CompromiseReport.objects.get(pk=report.pk).stage
    assert set(stages.values()) == set(Stage)
    for stage in Stage:
        found = CompromiseReport.objects.in_stage(stage).values_list("pk", flat=True)
        assert set(found) == {pk for pk, of in stages.items() if of == stage}
    assert CompromiseReport.objects.count_by_stage() == {stage: list(stages.values()).count(stage) for stage in Stage}
