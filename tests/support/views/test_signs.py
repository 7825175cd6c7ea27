"""The pages of signs: what stands out, in words, and judging it, by one person once."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from redemption.cards import freeze_cards
from redemption.models import Channel, CodeStatus
from redemption.redeem import redeem
from redemption.roles import Role
from support.actions import signs
from support.actions.reports import ReportError
from support.models import (
    Answer,
    AuditAction,
    AuditEvent,
    CardSign,
    CardSignKind,
    CardSignState,
    CompromiseKind,
    CompromiseReport,
    ReportChannel,
)
from support.sign_words import by_chance, numbers
from tests import factories
from tests.simulation.crowd import all_at_once
from tests.support.desk import at_the_desk, shown
from tests.support.signs import sign_of, try_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    """Twenty cards in a row, the third of them redeemed by a thief and tried by its buyer, twice."""
    cards = factories.cards(30)[5:25]
    program = cards[0].batch.product.program
    thief, buyer = factories.account(program), factories.account(program)
    redeem(account=thief, text=cards[2].text, channel=Channel.WEB)
    for _ in range(2):
        try_of(cards[2], buyer)
    return cards, thief, buyer


def test_the_numbers_are_told_in_words():
    cards = factories.cards(10)
    sign = sign_of(cards)
    sign.cards = 1200
    assert numbers(sign) == (
        "4 of 1,200 cards answered “already redeemed” to somebody else, where 0.4 would be usual (6 tries)."
    )
    assert by_chance(sign) == "1 in 310 million"
    sign.kind, sign.is_run, sign.expected, sign.chance = CardSignKind.NOT_ACTIVATED, False, 0.0001, 1e-40
    assert numbers(sign) == (
        "4 of 1,200 cards were tried before they were sold, besides those in runs, where less than 0.01 would be usual"
        " (6 tries)."
    )
    assert by_chance(sign) == "less than 1 in a million million"
    sign.chance = 9e-7
    assert by_chance(sign) == "1 in 1.1 million"
    sign.chance = 1.7e-10
    assert by_chance(sign) == "1 in 5.9 billion"
    sign.cards, sign.tries = 1, 1
    assert numbers(sign).startswith("Tried once before it was sold, and sold since")
    assert by_chance(sign) == ""


def test_the_newest_come_first_and_of_one_night_the_least_likely():
    client, agent = at_the_desk()
    night = timezone.now() - timedelta(days=2)
    older, likely, unlikely = (
        sign_of(factories.cards(5), raised_at=at, chance=chance)
        for at, chance in ((night - timedelta(days=1), 1e-20), (night, 1e-7), (night, 1e-9))
    )
    judged = sign_of(
        factories.cards(5), state=CardSignState.DISMISSED, judged_at=night, judged_by=agent, reason="A fair."
    )
    response = client.get(reverse("signs"))
    assert [row.sign for row in response.context["rows"]] == [unlikely, likely, older]
    assert "A fair." not in shown(response)
    listed = AuditEvent.objects.get(action=AuditAction.SIGNS_LISTED)
    assert listed.details["also"] == [f"sign:{sign.pk}" for sign in (unlikely, likely, older)]
    response = client.get(reverse("signs"), {"state": "dismissed"})
    assert [row.sign for row in response.context["rows"]] == [judged]
    assert "A fair." in shown(response)
    assert client.get(reverse("signs"), {"state": "open?"}).status_code == 404


def test_a_long_list_goes_on_where_it_ended(monkeypatch):
    monkeypatch.setattr("support.views.signs.PER_PAGE", 2)
    client, _ = at_the_desk()
    night = timezone.now()
    made = [sign_of(factories.cards(1), raised_at=night, chance=chance) for chance in (1e-9, 1e-8, 1e-8, 1e-7, 1e-6)]
    seen, after = [], {}
    while True:
        context = client.get(reverse("signs"), after).context
        seen += [row.sign for row in context["rows"]]
        if not context["more"]:
            break
        after = {"after": context["more"]}
    assert seen == made


def test_a_sign_shows_its_cards_with_their_tries_and_those_beside_it(run):
    cards, thief, buyer = run
    client, _ = at_the_desk()
    sign = sign_of(cards)
    response = client.get(reverse("sign", args=[sign.pk]))
    listed = {card.code.pk: card for card in response.context["cards"]}
    assert list(listed) == list(range(cards[0].serial - 5, cards[-1].serial + 6))[: len(listed)]
    assert [serial for serial, card in listed.items() if card.is_neighbour] == [
        *range(cards[0].serial - 5, cards[0].serial),
        *range(cards[-1].serial + 1, cards[-1].serial + 6),
    ]
    assert {serial: card.tried for serial, card in listed.items() if card.tried} == {cards[2].serial: 2}
    text = shown(response)
    assert thief.reference in text
    assert buyer.reference in text
    assert "19 of 20 unspent" in text
    event = AuditEvent.objects.get(action=AuditAction.RECORD_OPENED)
    assert event.target == f"sign:{sign.pk}"
    assert f"account:{buyer.pk}" in event.details["also"]
    assert f"code:{cards[2].serial}" in event.details["also"]


def test_who_may_not_see_customers_sees_no_accounts(run, monkeypatch):
    cards, thief, buyer = run
    client, _ = at_the_desk()
    sign = sign_of(cards)
    from redemption import roles

    less = {role: held - {roles.Permission.SEE_PERSONAL_DATA} for role, held in roles.PERMISSIONS.items()}
    monkeypatch.setattr("redemption.models.user.PERMISSIONS", less)
    response = client.get(reverse("sign", args=[sign.pk]))
    assert response.status_code == 200
    assert thief.reference not in response.content.decode()
    assert buyer.reference not in response.content.decode()


def test_of_a_whole_batch_the_tried_cards_are_shown(run):
    cards, _, _ = run
    client, _ = at_the_desk()
    sign = sign_of(cards, is_run=False)
    response = client.get(reverse("sign", args=[sign.pk]))
    assert [card.code.pk for card in response.context["cards"]] == [cards[2].serial]


def queries_of(client, address):
    client.get(address)
    with CaptureQueriesContext(connection) as made:
        assert client.get(address).status_code == 200
    return len(made)


def test_queries_do_not_grow_with_the_cards_of_a_sign_or_the_signs_of_a_list(run):
    cards, _, _ = run
    client, _ = at_the_desk()
    sign = sign_of(cards)
    addresses = [reverse("signs"), reverse("sign", args=[sign.pk])]
    of_one = [queries_of(client, address) for address in addresses]
    for card in cards[10:13]:
        try_of(card, factories.account(card.batch.product.program))
    for _ in range(2):
        sign_of(factories.cards(3))
    assert [queries_of(client, address) for address in addresses] == of_one


def test_nothing_to_it_takes_a_reason_and_is_kept_with_who_said_so(run):
    client, agent = at_the_desk()
    sign = sign_of(run[0])
    address = reverse("sign", args=[sign.pk])
    empty = client.post(address, {"verdict": "dismiss", "dismiss-reason": ""})
    assert empty.status_code == 422
    assert "Say why" in shown(empty)
    with_code = client.post(address, {"verdict": "dismiss", "dismiss-reason": f"He sent {run[0][0].text}"})
    assert with_code.status_code == 422
    assert client.post(address, {"verdict": "burn", "dismiss-reason": "x"}).status_code == 404
    assert CardSign.objects.get().state == CardSignState.OPEN
    done = client.post(address, {"verdict": "dismiss", "dismiss-reason": "A trade fair."})
    assert (done.status_code, done["Location"]) == (303, reverse("signs"))
    sign.refresh_from_db()
    assert (sign.state, sign.judged_by, sign.reason, sign.report) == (
        CardSignState.DISMISSED, agent, "A trade fair.", None,
    )  # fmt: skip
    event = AuditEvent.objects.get(action=AuditAction.SIGN_JUDGED)
    assert (event.target, event.details) == (f"sign:{sign.pk}", {"state": "dismissed"})
    again = client.post(address, {"verdict": "dismiss", "dismiss-reason": "Once more."})
    assert again.status_code == 409
    assert "judged this sign already" in shown(again)
    assert "Once more." in shown(again)


def test_reporting_freezes_what_is_unspent_in_the_run_and_nothing_beside_it(run):
    cards, _, _ = run
    client, agent = at_the_desk()
    freeze_cards(first=cards[5].serial, last=cards[5].serial, by=agent, reason="torn")
    sign = sign_of(cards)
    done = client.post(reverse("sign", args=[sign.pk]), {"verdict": "report", "report-reason": "Two thieves, I think."})
    report = CompromiseReport.objects.get()
    assert (done.status_code, done["Location"]) == (303, reverse("compromise", args=[report.reference]))
    assert (report.channel, report.kind, report.retailer) == (
        ReportChannel.DESK, CompromiseKind.TAMPERED, cards[0].batch.retailer,
    )  # fmt: skip
    unspent = [card.serial for card in cards if card is not cards[2]]
    assert list(report.cards.values_list("serial", "answer")) == [(serial, Answer.FROZEN) for serial in unspent]
    statuses = {code.pk: code.status for code in cards[0].batch.codes.all()}
    inside = set(range(cards[0].serial, cards[-1].serial + 1))
    assert {statuses[serial] for serial in inside - {cards[2].serial}} == {CodeStatus.FROZEN}
    assert statuses[cards[2].serial] == CodeStatus.REDEEMED
    assert {statuses[serial] for serial in set(statuses) - inside} == {CodeStatus.ACTIVE}
    sign.refresh_from_db()
    assert (sign.state, sign.report, sign.judged_by) == (CardSignState.REPORTED, report, agent)
    # The retailer reads its ticket, and nothing there of who tried, or of what the agent thinks.
    assert "thieves" not in report.ticket.messages.get().body
    event = AuditEvent.objects.get(action=AuditAction.SIGN_JUDGED)
    assert event.details == {"state": "reported", "report": report.pk}
    assert f"Report {report.reference}" in shown(client.get(reverse("sign", args=[sign.pk])))


def test_a_run_with_nothing_unspent_offers_no_report():
    cards = factories.cards(5, status=CodeStatus.VOID)
    client, agent = at_the_desk()
    sign = sign_of(cards)
    page = client.get(reverse("sign", args=[sign.pk]))
    assert page.context["report_form"] is None
    assert "nothing to freeze" in shown(page)
    refused = client.post(reverse("sign", args=[sign.pk]), {"verdict": "report"})
    assert refused.status_code == 409
    assert CompromiseReport.objects.count() == 0
    with pytest.raises(ReportError, match="nothing to freeze"):
        signs.report_run(sign, by=agent)


def test_an_auditor_looks_and_judges_nothing(run):
    client, auditor = at_the_desk(Role.AUDITOR)
    sign = sign_of(run[0])
    page = client.get(reverse("sign", args=[sign.pk]))
    assert page.status_code == 200
    assert page.context["dismiss_form"] is None
    assert client.post(reverse("sign", args=[sign.pk]), {"verdict": "report"}).status_code == 404
    for judge in (lambda: signs.report_run(sign, by=auditor), lambda: signs.dismiss(sign, by=auditor, reason="x")):
        with pytest.raises(ReportError, match="Your role"):
            judge()
    assert CardSign.objects.get().state == CardSignState.OPEN


@pytest.mark.django_db(transaction=True)
def test_two_agents_at_once_make_one_report():
    cards = factories.cards(10)
    sign = sign_of(cards)
    agents = [factories.user(Role.AGENT) for _ in range(4)]
    outcomes = all_at_once([lambda agent=agent: signs.report_run(sign, by=agent) for agent in agents], clients=4)
    assert CompromiseReport.objects.count() == 1
    assert sum(isinstance(outcome, CompromiseReport) for outcome in outcomes) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, ReportError)]
    assert [str(error) for error in refused] == ["Somebody has judged this sign already."] * 3
