"""A replacement that was allowed: the new card is shown once to whoever hands it over, or sent, and made once."""

import pytest

from redemption.models import ApprovalRequest, Channel, Code, CodeStatus, OutboxCard, Replacement
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions import decisions, judging
from support.actions.reports import ReportError
from support.models import AuditAction, AuditEvent, AuditPersonal, Message
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk():
    return at_the_desk(Role.AGENT)


@pytest.fixture
def cards():
    return factories.cards(3)


@pytest.fixture
def report(cards, desk):
    """The replacement of the first two is allowed."""
    report = factories.report(*cards)
    serials = [card.serial for card in cards[:2]]
    asked = judging.request_replacement(report, serials=serials, source=None, by=desk[1], reason="Torn open.")
    decisions.approve(asked, by=factories.user(Role.MANAGER))
    return report


def address(report, card):
    return f"/compromised/{report.reference}/replace/{card.serial}/"


def test_what_waits_to_be_handed_over_stands_on_the_reports_page(desk, report, cards):
    page = desk[0].get(f"/compromised/{report.reference}/")
    assert page.context["allowed"] == [cards[0].serial, cards[1].serial]
    assert f'href="{address(report, cards[0])}"' in page.content.decode()
    assert address(report, cards[2]) not in page.content.decode()


def test_the_page_says_that_the_code_is_shown_once_and_makes_nothing(desk, report, cards):
    response = desk[0].get(address(report, cards[0]))
    assert response.status_code == 200
    assert "its code is shown once" in shown(response)
    assert not Replacement.objects.exists()


def test_the_new_card_is_shown_once_works_and_is_kept_by_no_browser(desk, report, cards):
    client, agent = desk
    response = client.post(address(report, cards[0]), {"do": "show"})
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    card = response.context["card"]
    assert card.code in shown(response)
    assert Replacement.objects.get().successor_id == card.serial
    assert CodeStatus(cards[0].row.status) == CodeStatus.REPLACED
    # Sent once more, as by a reload: nothing is made, and nothing shown.
    again = client.post(address(report, cards[0]), {"do": "show"})
    assert again.status_code == 409
    assert card.code not in shown(again)
    assert "This card was decided before: replaced." in shown(again)
    assert Replacement.objects.count() == 1
    for page in (address(report, cards[0]), f"/compromised/{report.reference}/", f"/codes/{card.serial}/"):
        assert card.code not in shown(client.get(page))
    account = factories.account(cards[0].batch.product.program)
    assert redeem(account=account, text=card.code, channel=Channel.WEB).is_redeemed
    assert list(report.cards.order_by("serial").values_list("outcome", "decided_by")) == [
        ("replaced", agent.pk),
        ("", None),
        ("", None),
    ]


def test_the_code_is_in_no_trail_no_message_and_no_session(desk, report, cards):
    client, _ = desk
    card = client.post(address(report, cards[0]), {"do": "show"}).context["card"]
    plain = card.code.replace("-", "")
    kept = [repr(list(model.objects.values())) for model in (AuditEvent, AuditPersonal, Message, ApprovalRequest)]
    kept.append(repr(dict(client.session.items())))
    assert not [text for text in kept if card.code in text or plain in text]
    event = AuditEvent.objects.get(action=AuditAction.CARD_REPLACED)
    assert event.details["successor"] == card.serial


def test_it_is_sent_and_then_shown_to_nobody(desk, report, cards):
    client, _ = desk
    response = client.post(address(report, cards[0]), {"do": "send", "email": "buyer@example.com"})
    assert (response.status_code, response["Location"]) == (303, f"/compromised/{report.reference}/")
    text = shown(client.get(response["Location"]))
    assert "on its way to buyer@example.com" in text
    successor = Replacement.objects.get().successor_id
    assert Code.objects.get(pk=successor).last_four not in text


@pytest.mark.parametrize(("email", "said"), [("", "Say where to."), ("nobody", "Enter a valid email address.")])
def test_an_address_is_needed_and_what_was_typed_stays(desk, report, cards, email, said):
    response = desk[0].post(address(report, cards[0]), {"do": "send", "email": email})
    assert response.status_code == 422
    assert said in shown(response)
    assert f'value="{email}"' in response.content.decode() or not email
    assert not Replacement.objects.exists()


def send_all(client, report, **data):
    return client.post(f"/compromised/{report.reference}/do/send/", {"which": "allowed", **data})


def test_all_that_are_allowed_are_sent_to_one_address_each_in_a_mail_of_its_own(desk, report, cards):
    client = desk[0]
    page = send_all(client, report)
    assert (page.status_code, page.context["count"]) == (200, 2)
    assert "each new card goes out in a mail of its own" in shown(page)
    seen = page.context["seen"]
    for data, status in ({"email": ""}, 422), ({"email": "no address"}, 422), ({"email": "a@b.example"}, 303):
        assert send_all(client, report, seen=seen, confirmed="1", **data).status_code == status
    made = Replacement.objects.order_by("original")
    assert [row.original_id for row in made] == [card.serial for card in cards[:2]]
    sent = OutboxCard.objects.order_by("pk").values_list("code", "email")
    assert list(sent) == [(row.successor_id, "a@b.example") for row in made]
    assert send_all(client, report).context["count"] == 0


def test_asking_anew_for_one_says_that_the_others_must_be_asked_for_again(desk, report, cards):
    client = desk[0]
    said = "All cards that were allowed together with them must then be asked for anew"
    for card, is_said in ((cards[0], True), (cards[2], False)):
        page = client.post(f"/compromised/{report.reference}/do/void/", {"chosen": card.serial})
        assert (page.context["count"], said in shown(page)) == (1, is_said)


def test_of_several_all_are_sent_or_none(desk, report, cards):
    with pytest.raises(ReportError, match="Nobody has approved this card"):
        judging.send_over(report, serials=[card.serial for card in cards], by=desk[1], email="a@b.example")
    assert (Replacement.objects.count(), OutboxCard.objects.count()) == (0, 0)
    with pytest.raises(ReportError, match="At most 100"):
        judging.send_over(report, serials=range(101), by=desk[1], email="a@b.example")


def test_a_card_that_nobody_allowed_to_be_replaced_is_not(desk, report, cards):
    client, _ = desk
    assert "Nobody has allowed its replacement" in shown(client.get(address(report, cards[2])))
    response = client.post(address(report, cards[2]), {"do": "show"})
    assert response.status_code == 409
    assert "Nobody has approved this card’s replacement" in shown(response).replace("'", "’")
    assert not Replacement.objects.exists()


def test_a_card_of_another_report_does_not_exist_here(desk, report, cards):
    client, _ = desk
    other = factories.card()
    factories.report(other)
    assert client.get(address(report, other)).status_code == 404
    assert client.post(address(report, other), {"do": "show"}).status_code == 404


def test_who_only_reads_hands_nothing_over(report, cards):
    client, _ = at_the_desk(Role.AUDITOR)
    assert client.get(address(report, cards[0])).status_code == 404
    assert client.post(address(report, cards[0]), {"do": "show"}).status_code == 404
    assert client.get(f"/compromised/{report.reference}/").context["allowed"] == []
    assert not Replacement.objects.exists()
