"""The retailer's batches: how they stand, whose they are, and nothing about customers."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.models import BatchPurpose, BatchStatus, BatchTally, RetailerMember
from redemption.roles import Role
from support.actions import judging
from support.models import CompromiseReport
from tests import factories
from tests.support.desk import shown
from tests.support.portal.people import clerk

pytestmark = pytest.mark.django_db


def stock(of, *, name="Gift card", **tally):
    product = factories.product(name=name)
    batch = factories.batch(product, retailer_id=of.pk)
    BatchTally.objects.update_or_create(batch=batch, defaults=tally)
    return batch


def test_a_batch_stands_with_its_counts_and_its_value(saturn):
    batch = stock(saturn, name="Thirty pounds", issued=1200, activated=310, redeemed=45, refused=7, outstanding=795000)
    client, _ = clerk(saturn)
    listed = client.get("/retailer/batches/")
    assert listed.status_code == 200
    assert [row.batch.reference for row in listed.context["rows"]] == [batch.reference]
    assert f"Thirty pounds {batch.reference} Active 1,200 310 45 " in shown(listed)
    opened = client.get(f"/retailer/batches/{batch.reference}/")
    said = shown(opened)
    for words in ("Cards 1,200", "Sold 310", "Redeemed 45", "7,950.00", f"{batch.first_serial} to {batch.last_serial}"):
        assert words in said, words
    assert batch.product.program.name in said
    assert opened.headers["Cache-Control"] == "no-store"


def test_cards_that_its_reports_have_frozen_are_counted_once_and_not_when_they_are_judged(saturn):
    batch, (client, _) = stock(saturn), clerk(saturn)
    cards, others = factories.cards(3, batch), factories.card()
    for reported in ([*cards], [cards[0]], [others]):
        report = factories.report(*reported)
    path = f"/retailer/batches/{batch.reference}/"
    assert "Frozen by your reports 3" in shown(client.get(path))
    first = CompromiseReport.objects.order_by("pk")[0]
    judging.clear(first, serials=[cards[0].serial], by=factories.user(Role.AGENT), reason="All is well.")
    assert "Frozen by your reports 2" in shown(client.get(path))
    assert report.retailer != batch.retailer


def test_another_retailers_batch_is_nowhere(saturn):
    foreign = stock(factories.retailer(name="Karstadt"), name="Theirs", issued=5)
    client, _ = clerk(saturn)
    assert "Theirs" not in shown(client.get("/retailer/batches/"))
    theirs = client.get(f"/retailer/batches/{foreign.reference}/")
    unknown = client.get("/retailer/batches/BA-0000-0000-0000/")
    assert (theirs.status_code, theirs.content) == (404, unknown.content)


def test_a_draft_is_not_shown(saturn):
    draft = factories.batch(retailer_id=saturn.pk, status=BatchStatus.DRAFT)
    client, _ = clerk(saturn)
    assert "No cards were made for you yet." in shown(client.get("/retailer/batches/"))
    assert client.get(f"/retailer/batches/{draft.reference}/").status_code == 404


def test_a_batch_that_nothing_happened_to_has_noughts(saturn):
    batch = factories.batch(retailer_id=saturn.pk, status=BatchStatus.ISSUED)
    BatchTally.objects.filter(batch=batch).delete()
    client, _ = clerk(saturn)
    said = shown(client.get(f"/retailer/batches/{batch.reference}/"))
    assert "Not active yet" in said
    assert "Cards 0 Sold 0 Redeemed 0" in said


def test_replacements_have_no_face_value_of_their_own(saturn):
    batch = factories.batch(retailer_id=saturn.pk, purpose=BatchPurpose.REPLACEMENTS)
    client, _ = clerk(saturn)
    said = shown(client.get(f"/retailer/batches/{batch.reference}/"))
    assert "replacements" in said
    assert "Face value" not in said


def test_who_belongs_to_several_retailers_sees_all_of_them_or_one(saturn):
    media = factories.retailer(name="Media Markt", slug="media")
    stock(saturn, name="At Saturn"), stock(media, name="At Media")
    client, user = clerk(saturn)
    RetailerMember.objects.create(retailer=media, user=user)
    names = lambda address: [row.batch.product.name for row in client.get(address).context["rows"]]  # noqa: E731
    assert names("/retailer/batches/") == ["At Media", "At Saturn"]
    assert names("/retailer/batches/?retailer=saturn") == ["At Saturn"]
    assert client.get("/retailer/batches/?retailer=karstadt").status_code == 404


def test_long_lists_go_on(saturn):
    product = factories.product()
    made = [factories.batch(product, retailer_id=saturn.pk, size=1) for _ in range(31)]
    client, _ = clerk(saturn)
    first = client.get("/retailer/batches/")
    assert [row.batch.pk for row in first.context["rows"]] == [batch.pk for batch in reversed(made[1:])]
    rest = client.get(f"/retailer/batches/?before={first.context['older']}")
    assert [row.batch.pk for row in rest.context["rows"]] == [made[0].pk]
    assert client.get(f"/retailer/batches/?before={made[0].pk}").context["rows"] == []
    for nonsense in ("x", "-1", "1" * 30):
        assert client.get(f"/retailer/batches/?before={nonsense}").status_code == 404


def test_the_list_asks_as_much_for_three_batches_as_for_one(saturn):
    client, _ = clerk(saturn)
    counts = []
    for _ in range(3):
        stock(saturn, name=f"Product {len(counts)}", issued=1)
        with CaptureQueriesContext(connection) as asked:
            client.get("/retailer/batches/")
        counts.append(len(asked))
    assert counts[0] == counts[2]
