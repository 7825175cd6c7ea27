"""The weekly report: to whom, when, once, and with which figures; and with nobody's personal data."""

from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest
from django.core import mail

from redemption.roles import PERMISSIONS, Permission, Role
from support import weekly_report
from support.actions import credits, limits
from support.models import WeeklyReport
from tests import factories

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 3, 9, 7, 20, tzinfo=UTC)
LAST_WEEK = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _here(settings):
    settings.DESK_TIME_ZONE = "UTC"
    settings.SITE_URL = "https://desk.example.com"


def sent_to():
    return sorted(message.to[0] for message in mail.outbox)


def test_it_goes_to_everybody_active_who_sees_the_figures_and_to_nobody_else():
    people = {role: factories.user(role) for role in Role if role != Role.SYSTEM}
    gone = factories.user(Role.MANAGER, is_active=False)
    readers = [person for role, person in people.items() if Permission.VIEW_REPORTS in PERMISSIONS[role]]
    assert weekly_report.send(now=MONDAY) == len(readers) == 3
    assert sent_to() == sorted(person.email for person in readers)
    assert gone.email not in sent_to()


def test_the_job_may_run_again_and_again():
    factories.user(Role.MANAGER)
    assert [weekly_report.send(now=MONDAY + timedelta(hours=hours)) for hours in range(4)] == [1, 0, 0, 0]
    assert len(mail.outbox) == 1
    assert WeeklyReport.objects.get().week == date(2026, 3, 2)
    assert weekly_report.send(now=MONDAY + timedelta(days=7)) == 1


@pytest.mark.parametrize(
    ("zone", "moment", "sent"),
    [
        ("UTC", datetime(2026, 3, 9, 6, 59, tzinfo=UTC), 0),
        ("UTC", datetime(2026, 3, 9, 7, tzinfo=UTC), 1),
        ("UTC", datetime(2026, 3, 10, 7, tzinfo=UTC), 0),
        ("Pacific/Auckland", datetime(2026, 3, 8, 18, 30, tzinfo=UTC), 1),
        ("Pacific/Auckland", datetime(2026, 3, 9, 18, 30, tzinfo=UTC), 0),
        ("America/Los_Angeles", datetime(2026, 3, 9, 13, 30, tzinfo=UTC), 0),
        ("America/Los_Angeles", datetime(2026, 3, 9, 14, 30, tzinfo=UTC), 1),
    ],
)
def test_it_goes_on_monday_morning_where_the_desk_is(zone, moment, sent, settings):
    settings.DESK_TIME_ZONE = zone
    factories.user(Role.MANAGER)
    assert weekly_report.send(now=moment) == sent
    assert all(report.week == date(2026, 3, 2) for report in WeeklyReport.objects.all())


def test_an_address_that_fails_gets_it_later_and_the_others_get_theirs_now(monkeypatch):
    first, second = factories.user(Role.MANAGER), factories.user(Role.AUDITOR)
    real = weekly_report.EmailMultiAlternatives.send
    monkeypatch.setattr(weekly_report.EmailMultiAlternatives, "send", lambda self: _refuse(first.email, self, real))
    assert weekly_report.send(now=MONDAY) == 1
    assert sent_to() == [second.email]
    monkeypatch.undo()
    assert weekly_report.send(now=MONDAY + timedelta(hours=1)) == 1
    assert sent_to() == sorted([first.email, second.email])


def _refuse(address, message, real):
    if message.to == [address]:
        raise OSError("The mail server is away.")
    return real(message)


def report():
    weekly_report.send(now=MONDAY)
    message = mail.outbox[0]
    ((html, kind),) = message.alternatives
    assert kind == "text/html"
    return message.subject, message.body, html


def test_it_says_last_weeks_figures_in_text_and_in_html():
    factories.user(Role.MANAGER)
    agent = factories.user(Role.AGENT, name="Asha Agent")
    factories.credit_policy(Role.AGENT, single=100_000)
    for amount in (500, 1250):
        factories.credit(by=agent, amount=amount, now=LAST_WEEK)
    factories.credit(by=agent, amount=777, now=LAST_WEEK - timedelta(days=7))
    factories.credit(by=agent, amount=888, now=MONDAY - timedelta(hours=1))
    factories.credit_policy(Role.AGENT, single=100)
    wanted = factories.wanted(amount=500)
    credits.request(wanted, why="He waited.", by=agent, now=MONDAY - timedelta(hours=30))
    subject, text, html = report()
    assert subject == "Credits, week from 2 March 2026"
    for body in (text, " ".join(_words(html))):
        assert "£17.50" in body
        assert "in 2 credits" in body
        assert "2 granted alone, 0 by a second person, 0 taken back" in body
        assert "Waiting for a second person: 1, the oldest for 30 h" in body
        assert "£7.77" not in body
        assert "£8.88" not in body
        assert "stopped" not in body.lower()
    for name in ("credits/", "approvals/", "reports/liability/?on=2026-03-08", "reports/signals/"):
        assert f"https://desk.example.com/{name}" in text
        assert f'href="https://desk.example.com/{name}' in html


def test_it_says_that_credits_are_stopped_and_who_is_worth_a_question():
    manager = factories.user(Role.MANAGER)
    agent = factories.user(Role.AGENT, name="Bram Agent")
    factories.credit_policy(Role.AGENT, single=1000)
    for _ in range(5):
        factories.credit(by=agent, amount=990, now=LAST_WEEK)
    limits.stop(reason="A session was <stolen>.", by=manager, now=MONDAY)
    _, text, html = report()
    assert "ALL CREDITS ARE STOPPED since 9 March 2026, 07:20 UTC" in text
    assert "A session was <stolen>." in text
    assert "A session was &lt;stolen&gt;." in html
    for body in (text, html):
        assert "Bram Agent: 5 of 5 credits just under the limit." in body


def test_an_empty_week_is_told_too():
    factories.user(Role.MANAGER)
    _, text, html = report()
    for body in (text, html):
        assert "Nobody granted a credit." in body
        assert "nothing" in body


def test_no_customer_is_in_it():
    factories.user(Role.MANAGER)
    account = factories.account(email="ada.lovelace@example.com")
    ticket = factories.ticket(account=account, requester_name="Ada Lovelace", requester_email=account.email)
    card = factories.card(factories.batch(factories.product(account.program)))
    credit = factories.credit(account, ticket=ticket, code=card.row, note="Ada rang.", now=LAST_WEEK)
    for body in report():
        for said in ("Lovelace", "ada", account.reference, ticket.reference, credit.reference, str(card.serial)):
            assert said.lower() not in body.lower().replace("readable", "").replace("made", ""), said


def _words(html):
    found = []

    class Words(HTMLParser):
        def handle_data(self, data):
            found.append(data)

    Words().feed(html)
    return "".join(found).split()
