"""A till reports compromised cards, and reads what came of them."""

import pytest

from redemption.models import CodeStatus, User
from support.models import AuditAction, AuditEvent, CompromiseReport, ReportChannel, ReportedCard
from tests import factories
from tests.support.till.tills import told

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    return factories.batch(size=6_000, first_serial=4_000_000_000)


def cards_of(answered):
    return [(card["line"], card["serial"], card["answer"], card["problem"]) for card in answered.json()["cards"]]


def test_what_is_unspent_is_frozen_and_every_card_has_its_answer(till, batch):
    fresh, sold, spent, void = (
        factories.card(batch, status=status)
        for status in (CodeStatus.INACTIVE, CodeStatus.ACTIVE, CodeStatus.REDEEMED, CodeStatus.VOID)
    )
    foreign = factories.card()
    answered = till.post(
        "/reports",
        {
            "kind": "tampered",
            "serials": [fresh.serial, foreign.serial, 2_000_000_000, void.serial, fresh.serial],
            "ranges": [{"first": sold.serial, "last": spent.serial}],
            "store": "Malmö",
            "till": "4",
            "sold_at": "2026-06-15T14:05:00+02:00",
            "customer_present": True,
            "receipt_number": "R-1",
            "note": "The foil is cut.",
        },
    )
    assert answered.status_code == 201, answered.content
    assert cards_of(answered) == [
        (1, fresh.serial, "frozen", None),
        (2, foreign.serial, "unknown", None),
        (3, 2_000_000_000, "unknown", None),
        (4, void.serial, "ended", None),
        (5, None, "bad", "twice"),
        (6, sold.serial, "frozen", None),
        # Without a redemption's row: the factory's status alone.
        (6, spent.serial, "ended", None),
    ]
    assert {one: answered.json()[one] for one in ("kind", "stage", "total", "next", "masked")} == {
        "kind": "tampered",
        "stage": "frozen",
        "total": 6,
        "next": None,
        "masked": False,
    }
    assert [one.row.status for one in (fresh, sold, foreign)] == [CodeStatus.FROZEN] * 2 + [CodeStatus.ACTIVE]
    report = CompromiseReport.objects.get(reference=answered.json()["reference"])
    assert (report.retailer, report.api_key, report.by) == (batch.retailer, till.key, User.objects.system())
    assert (report.channel, report.store, report.till) == (ReportChannel.TILL, "Malmö", "4")
    assert AuditEvent.objects.filter(action=AuditAction.CARDS_REPORTED, target=f"report:{report.pk}").count() == 1


def test_a_report_says_the_same_when_it_is_read_again_and_what_came_of_it(till, batch):
    cards = factories.cards(2, batch)
    made = till.post("/reports", {"kind": "stolen", "serials": [card.serial for card in cards]}).json()
    assert made.pop("masked") is False
    assert till.get(f"/reports/{made['reference']}").json() == made


def test_a_report_from_the_portal_is_read_too_and_no_strangers(till, batch):
    own = factories.report(factories.card(batch))
    foreign = factories.report(factories.card())
    assert till.get(f"/reports/{own.reference}").status_code == 200
    answers = [till.get(f"/reports/{one}") for one in (foreign.reference, "RP-0000-0000-0000", "x", "TK-0000")]
    assert {(one.status_code, one.content) for one in answers} == {(404, answers[0].content)}
    assert told(answers[0]) == (404, "unknown_report")


def test_five_thousand_cards_are_frozen_within_the_request_and_more_are_refused(till, batch):
    factories.cards(5_001, batch, status=CodeStatus.INACTIVE)
    first = batch.serials.lower
    too_many = {"kind": "stolen", "ranges": [{"first": first, "last": first + 5_000}]}
    for content in (
        too_many,
        {"kind": "stolen", "ranges": [{"first": 1_000_000_000, "last": 9_999_999_999}]},
        {"kind": "stolen", "serials": [first] * 5_001},
    ):
        answered = till.post("/reports", content)
        assert told(answered) == (413, "too_many_cards")
        assert "portal" in answered.json()["message"]
    assert not CompromiseReport.objects.exists()
    enough = {"kind": "stolen", "ranges": [{"first": first, "last": first + 4_999}]}
    answered = till.post("/reports", enough)
    assert (answered.status_code, answered.json()["total"], answered.json()["next"]) == (201, 5_000, None)
    assert {answer for _, _, answer, _ in cards_of(answered)} == {"frozen"}
    assert batch.codes.filter(status=CodeStatus.FROZEN).count() == 5_000


def test_a_long_report_is_read_in_parts(till, batch):
    report = factories.report(*factories.cards(2, batch))
    ReportedCard.objects.bulk_create(
        ReportedCard(report=report, line=3, serial=3_000_000_000 + number, answer="unknown") for number in range(5_010)
    )
    first = till.get(f"/reports/{report.reference}").json()
    second = till.get(f"/reports/{report.reference}", after=first["next"]).json()
    assert (len(first["cards"]), len(second["cards"]), second["next"]) == (5_000, 12, None)
    serials = [card["serial"] for part in (first, second) for card in part["cards"]]
    assert serials == list(report.cards.order_by("pk").values_list("serial", flat=True))


def test_a_code_in_a_text_is_taken_out_and_the_reporter_told(till, batch):
    card = factories.card(batch)
    answered = till.post("/reports", {"kind": "scam", "serials": [card.serial], "note": f"It says {card.text}."})
    assert answered.status_code == 201
    assert answered.json()["masked"] is True
    report = CompromiseReport.objects.get()
    assert report.note == "It says [code]."
    assert card.row.status == CodeStatus.FROZEN
    assert card.text not in answered.content.decode()


def test_the_same_cards_again_change_nothing(till, batch):
    card = factories.card(batch)
    answers = [till.post("/reports", {"kind": "stolen", "serials": [card.serial]}).json() for _ in range(2)]
    assert [one["cards"][0]["answer"] for one in answers] == ["frozen", "frozen"]
    assert card.row.status == CodeStatus.FROZEN
