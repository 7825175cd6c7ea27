"""The portal's first page."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.models import RetailerMember
from support.models import TicketStatus
from tests import factories
from tests.support.desk import shown
from tests.support.portal.people import clerk, manager

pytestmark = pytest.mark.django_db


def reported(of, **told):
    return factories.report(factories.card(factories.batch(retailer_id=of.pk)), **told)


def test_an_empty_portal_says_what_to_do(saturn):
    client, _ = clerk(saturn)
    opened = client.get("/retailer/")
    assert opened.status_code == 200
    assert 'href="/retailer/reports/new/"' in opened.content.decode()
    said = shown(opened)
    assert "No cards have been reported yet." in said
    assert "No cards were made for you yet." in said
    assert "We need an answer from you" not in said


def test_what_waits_for_an_answer_stands_first(saturn):
    waiting, newer = reported(saturn), reported(saturn)
    waiting.ticket.status = TicketStatus.WAITING_FOR_RETAILER
    waiting.ticket.save()
    client, _ = clerk(saturn)
    opened = client.get("/retailer/")
    assert [report for report, _ in opened.context["asked"]] == [waiting]
    assert [report for report, _ in opened.context["latest"]] == [newer, waiting]
    assert "We need to know more" in shown(opened)


def test_nothing_of_another_retailers_is_on_it(saturn):
    theirs = reported(factories.retailer(name="Karstadt"))
    client, _ = clerk(saturn)
    said = shown(client.get("/retailer/"))
    assert theirs.reference not in said
    assert "Karstadt" not in said


def test_the_frame_names_the_member_and_his_retailers(saturn):
    client, user = clerk(saturn, name="Carl Clerk")
    RetailerMember.objects.create(retailer=factories.retailer(name="Media Markt"), user=user, role="manager")
    said = shown(client.get("/retailer/"))
    assert "Carl Clerk Media Markt Manager Saturn Clerk Password Second factor Sessions Sign out" in said


def test_only_managers_have_links_to_people_and_keys(saturn):
    links = {
        who.__name__: [link.title for link in who(saturn)[0].get("/retailer/").context["links"]]
        for who in (clerk, manager)
    }
    everybody = ["Start", "Reports", "New report", "Batches"]
    assert links == {"clerk": everybody, "manager": [*everybody, "People", "Keys"]}


def test_it_asks_as_much_for_three_reports_as_for_one(saturn):
    client, _ = clerk(saturn)
    counts = []
    for _ in range(3):
        waiting = reported(saturn)
        waiting.ticket.status = TicketStatus.WAITING_FOR_RETAILER
        waiting.ticket.save()
        with CaptureQueriesContext(connection) as asked:
            client.get("/retailer/")
        counts.append(len(asked))
    assert counts[0] == counts[2]
