"""Roles by pages by actions: every cell. A page or an action without a row fails the last tests here.

A row's first words are the method and the url's name; what stands in brackets says what it was asked for.
"""

import inspect
import re
import uuid
from functools import cached_property

import pytest
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from redemption import urls as customers_urls
from redemption.models import Attempt, AttemptOutcome, Channel, CodeStatus
from redemption.redeem import redeem
from redemption.refusals import RefusalReason
from redemption.roles import PERMISSIONS, Permission, Role
from support import audit
from support import urls as desk_urls
from support.actions import credits, decisions, judging
from support.actions.messages import write_staff_message
from support.card_actions import ACTIONS
from support.judgements import VERBS, seen_of
from support.models import (
    AuditAction,
    Cause,
    Export,
    Holiday,
    Macro,
    MessageKind,
    OpeningHours,
    SavedView,
    Target,
    Ticket,
    TicketChannel,
)
from support.views import ticket_links
from support.views.drafts import keeper_of
from support.views.ticket import WRITTEN
from tests import factories
from tests.redemption.api import platforms
from tests.redemption.webhooks import receiving
from tests.support.desk import at_the_desk
from tests.support.signs import sign_of
from tests.support.test_attachments import attached, bought
from tests.support.till import tills

pytestmark = pytest.mark.django_db

# 200 shown, 302 and 303 done or sent on, 401 kept for whoever signs in, 404 does not exist for this role, 422 a form
# that says what is missing in it.
PAGES = """
                                      nobody custom. retail.  social   agent  senior manager auditor   admin  system
GET desk                                 302     302     404     200     200     200     200     200     200     404
POST desk (serial number)                302     404     404     303     303     303     303     303     303     404
POST desk (words)                        302     404     404     404     404     404     404     404     404     404
GET code                                 302     404     404     200     200     200     200     200     200     404
GET code (diagnosis)                     302     404     404     200     200     200     200     200     200     404
POST diagnose                            302     404     404     404     303     303     303     404     303     404
POST act (activate)                      302     404     404     404     404     404     303     404     303     404
POST act (freeze)                        302     404     404     404     303     303     303     404     303     404
POST act (thaw)                          302     404     404     404     303     303     303     404     303     404
POST act (unknown)                       302     404     404     404     404     404     404     404     404     404
GET account                              302     404     404     404     200     200     200     200     200     404
GET attempt                              302     404     404     404     200     200     200     200     200     404
GET approvals                            302     404     404     404     200     200     200     200     200     404
GET approval (another's)                 302     404     404     404     404     200     200     200     200     404
GET approval (one's own)                 302     404     404     404     200     200     200     200     200     404
GET decide                               302     404     404     404     404     303     303     303     303     404
POST decide (approve)                    302     404     404     404     404     303     303     404     303     404
POST decide (reject)                     302     404     404     404     404     303     303     404     303     404
POST decide (reject, without a reason)   302     404     404     404     404     422     422     404     422     404
POST decide (approve, one's own)         302     404     404     404     404     409     409     404     409     404
POST decide (withdraw, one's own)        302     404     404     404     303     303     303     404     303     404
POST decide (unknown)                    302     404     404     404     404     404     404     404     404     404
GET credit_policy                        302     404     404     404     404     404     200     200     200     404
GET credit_policy (edit)                 302     404     404     404     404     404     200     404     200     404
POST credit_policy                       302     404     404     404     404     404     422     404     422     404
GET stop_credits                         302     404     404     404     404     200     200     404     200     404
POST stop_credits                        302     404     404     404     404     303     303     404     303     404
POST stop_credits (allow again)          302     404     404     404     404     404     409     404     409     404
GET credits                              302     404     404     404     404     404     200     200     200     404
GET credit_list                          302     404     404     404     404     404     200     200     200     404
GET outages                              302     404     404     404     404     404     200     404     200     404
GET switch_redeeming (off)               302     404     404     404     404     404     200     404     200     404
POST switch_redeeming (off)              302     404     404     404     404     404     303     404     303     404
POST switch_redeeming (on, it works)     302     404     404     404     404     404     409     404     409     404
POST switch_redeeming (unknown)          302     404     404     404     404     404     404     404     404     404
GET liability                            302     404     404     404     404     404     200     200     200     404
GET failures                             302     404     404     404     404     404     200     200     200     404
GET signals                              302     404     404     404     404     404     200     200     200     404
GET signs                                302     404     404     404     200     200     200     200     200     404
GET sign                                 302     404     404     404     200     200     200     200     200     404
POST sign (dismiss)                      302     404     404     404     303     303     303     404     303     404
POST sign (report)                       302     404     404     404     303     303     303     404     303     404
POST sign (unknown)                      302     404     404     404     404     404     404     404     404     404
GET compromised                          302     404     404     404     200     200     200     200     200     404
GET compromise                           302     404     404     404     200     200     200     200     200     404
GET judge                                302     404     404     404     303     303     303     303     303     404
POST judge (clear)                       302     404     404     404     200     200     200     404     200     404
POST judge (void)                        302     404     404     404     200     200     200     404     200     404
POST judge (replace)                     302     404     404     404     200     200     200     404     200     404
POST judge (close)                       302     404     404     404     200     200     200     404     200     404
POST judge (send)                        302     404     404     404     200     200     200     404     200     404
POST judge (clear, confirmed)            302     404     404     404     303     303     303     404     303     404
POST judge (void, confirmed)             302     404     404     404     303     303     303     404     303     404
POST judge (clear, not looked at)        302     404     404     404     409     409     409     404     409     404
POST judge (ask)                         302     404     404     404     303     303     303     404     303     404
POST judge (unknown)                     302     404     404     404     404     404     404     404     404     404
GET hand_over                            302     404     404     404     200     200     200     404     200     404
POST hand_over (shown)                   302     404     404     404     200     200     200     404     200     404
POST hand_over (sent, nowhere)           302     404     404     404     422     422     422     404     422     404
GET statement                            302     404     404     404     200     200     200     200     200     404
GET new_compromised                      302     404     404     404     200     200     200     404     200     404
POST new_compromised                     302     404     404     404     422     422     422     404     422     404
POST new_compromised (reported)          302     404     404     404     303     303     303     404     303     404
GET new_credit                           302     404     404     404     200     200     200     404     200     404
POST new_credit                          302     404     404     404     422     422     422     404     422     404
POST new_credit (granted)                302     404     404     404     303     303     303     404     422     404
POST new_credit (asked for)              302     404     404     404     422     422     422     404     303     404
GET credit                               302     404     404     404     200     200     200     200     200     404
POST reverse_credit                      302     404     404     404     303     303     303     404     303     404
GET move_card                            302     404     404     404     200     200     200     404     200     404
POST move_card                           302     404     404     404     303     303     303     404     303     404
GET exports                              302     404     404     404     404     404     200     200     200     404
POST new_export                          302     404     404     404     404     404     422     422     422     404
POST new_export (credits)                302     404     404     404     404     404     303     303     303     404
GET export (one's own)                   302     404     404     404     404     404     200     200     200     404
GET export (another's)                   302     404     404     404     404     404     404     404     404     404
POST export_file (one's own)             302     404     404     404     404     404     303     303     303     404
POST export_file (another's)             302     404     404     404     404     404     404     404     404     404
GET audit                                302     404     404     404     404     404     200     200     200     404
POST audit                               302     404     404     404     404     404     303     303     303     404
GET seals                                302     404     404     404     404     404     200     200     200     404
GET platform_keys                        302     404     404     404     404     404     404     404     200     404
POST platform_keys                       302     404     404     404     404     404     404     404     422     404
POST platform_keys (made)                302     404     404     404     404     404     404     404     201     404
GET platform_key                         302     404     404     404     404     404     404     404     200     404
POST platform_key                        302     404     404     404     404     404     404     404     422     404
POST platform_key (rotated)              302     404     404     404     404     404     404     404     201     404
POST platform_key (revoked)              302     404     404     404     404     404     404     404     303     404
GET webhooks                             302     404     404     404     404     404     404     404     200     404
POST webhooks                            302     404     404     404     404     404     404     404     422     404
POST webhooks (made)                     302     404     404     404     404     404     404     404     201     404
GET webhook                              302     404     404     404     404     404     404     404     200     404
POST webhook (rotate)                    302     404     404     404     404     404     404     404     201     404
POST webhook (off)                       302     404     404     404     404     404     404     404     303     404
POST webhook (test)                      302     404     404     404     404     404     404     404     303     404
POST webhook (kinds)                     302     404     404     404     404     404     404     404     303     404
POST webhook (again)                     302     404     404     404     404     404     404     404     303     404
POST webhook (unknown)                   302     404     404     404     404     404     404     404     404     404
GET webhook_delivery                     302     404     404     404     404     404     404     404     200     404
POST webhook_delivery                    302     404     404     404     404     404     404     404     303     404
GET tickets                              302     404     404     200     200     200     200     200     200     404
GET bulk                                 302     404     404     303     303     303     303     404     303     404
POST bulk                                302     404     404     200     200     200     200     404     200     404
POST bulk (confirmed)                    302     404     404     303     303     303     303     404     303     404
GET new_ticket                           302     404     404     200     200     200     200     404     200     404
POST new_ticket                          302     404     404     422     422     422     422     404     422     404
POST save_view                           302     404     404     303     303     303     303     303     303     404
POST change_view (one's own)             302     404     404     303     303     303     303     303     303     404
POST change_view (another's)             302     404     404     404     404     404     404     404     404     404
GET redeem                               302     200     200     200     200     200     200     200     200     200
POST redeem                              302     200     200     200     200     200     200     200     200     200
GET redeem_confirm                       302     302     302     302     302     302     302     302     302     302
POST redeem_confirm (nothing sealed)     302     409     409     409     409     409     409     409     409     409
GET redeem_challenge                     302     200     200     200     200     200     200     200     200     200
POST redeem_challenge (number)           302     422     422     422     422     422     422     422     422     422
POST redeem_challenge (mail)             302     200     200     200     200     200     200     200     200     200
GET ticket (private)                     302     404     404     404     200     200     200     200     200     404
GET original (private)                   302     404     404     404     404     404     200     404     200     404
GET picture (private)                    302     404     404     404     200     200     200     200     200     404
GET small_picture (private)              302     404     404     404     200     200     200     200     200     404
POST draft (private)                     401     404     404     404     200     200     200     404     200     404
POST draft (unsigned, private)           404     404     404     404     404     404     404     404     404     404
POST presence (private)                  302     404     404     404     200     200     200     200     200     404
GET write (private)                      303     404     404     404     303     303     303     404     303     404
POST write (reply, private)              303     404     404     404     303     303     303     404     303     404
POST write (note, private)               303     404     404     404     303     303     303     404     303     404
POST take_back (private)                 302     404     404     404     303     303     303     404     303     404
POST choose_known_error (private)        302     404     404     404     303     303     303     404     303     404
POST use_reply (private)                 302     404     404     404     303     303     303     404     303     404
GET preview_macro (private)              302     404     404     404     200     200     200     404     200     404
POST use_macro (private)                 302     404     404     404     303     303     303     404     303     404
POST link (duplicate, private)           302     404     404     404     303     303     303     404     303     404
POST link (no-duplicate, private)        302     404     404     404     303     303     303     404     303     404
POST link (unmerge, private)             302     404     404     404     303     303     303     404     303     404
POST link (problem, private)             302     404     404     404     303     303     303     404     303     404
POST link (no-problem, private)          302     404     404     404     303     303     303     404     303     404
POST link (incident, private)            302     404     404     404     303     303     303     404     303     404
POST link (no-incident, private)         302     404     404     404     303     303     303     404     303     404
POST link (add-incident, private)        302     404     404     404     303     303     303     404     303     404
GET merge (private)                      302     404     404     404     303     303     303     404     303     404
POST merge (private)                     302     404     404     404     200     200     200     404     200     404
POST merge (confirmed, private)          302     404     404     404     303     303     303     404     303     404
GET incidents (private)                  302     404     404     404     303     303     303     404     303     404
POST incidents (private)                 302     404     404     404     422     422     422     404     422     404
GET change_ticket (private)              302     404     404     404     303     303     303     404     303     404
POST change_ticket (private)             302     404     404     404     422     422     422     404     422     404
POST take (private)                      302     404     404     404     303     303     303     404     303     404
GET ticket (public)                      302     404     404     200     200     200     200     200     200     404
GET original (public)                    302     404     404     404     404     404     200     404     200     404
GET picture (public)                     302     404     404     200     200     200     200     200     200     404
GET small_picture (public)               302     404     404     200     200     200     200     200     200     404
POST draft (public)                      401     404     404     200     200     200     200     404     200     404
POST draft (unsigned, public)            404     404     404     404     404     404     404     404     404     404
POST presence (public)                   302     404     404     200     200     200     200     200     200     404
GET write (public)                       303     404     404     303     303     303     303     404     303     404
POST write (reply, public)               303     404     404     303     303     303     303     404     303     404
POST write (note, public)                303     404     404     303     303     303     303     404     303     404
POST take_back (public)                  302     404     404     303     303     303     303     404     303     404
POST choose_known_error (public)         302     404     404     303     303     303     303     404     303     404
POST use_reply (public)                  302     404     404     303     303     303     303     404     303     404
GET preview_macro (public)               302     404     404     200     200     200     200     404     200     404
POST use_macro (public)                  302     404     404     303     303     303     303     404     303     404
POST link (duplicate, public)            302     404     404     303     303     303     303     404     303     404
POST link (no-duplicate, public)         302     404     404     303     303     303     303     404     303     404
POST link (unmerge, public)              302     404     404     303     303     303     303     404     303     404
POST link (problem, public)              302     404     404     303     303     303     303     404     303     404
POST link (no-problem, public)           302     404     404     303     303     303     303     404     303     404
POST link (incident, public)             302     404     404     303     303     303     303     404     303     404
POST link (no-incident, public)          302     404     404     303     303     303     303     404     303     404
POST link (add-incident, public)         302     404     404     303     303     303     303     404     303     404
GET merge (public)                       302     404     404     303     303     303     303     404     303     404
POST merge (public)                      302     404     404     200     200     200     200     404     200     404
POST merge (confirmed, public)           302     404     404     303     303     303     303     404     303     404
GET incidents (public)                   302     404     404     303     303     303     303     404     303     404
POST incidents (public)                  302     404     404     422     422     422     422     404     422     404
GET change_ticket (public)               302     404     404     303     303     303     303     404     303     404
POST change_ticket (public)              302     404     404     422     422     422     422     404     422     404
POST take (public)                       302     404     404     303     303     303     303     404     303     404
"""

# Of every model in the admin: r its list and its rows are read, a rows are added, c they are changed, d deleted. What
# stands there with “-” does not exist for the role, read or posted.
ADMIN = """
                                      nobody custom. retail.  social   agent  senior manager auditor   admin  system
group                                      -       -       -       -       -       -       -       -       -       -
emailaddress                               -       -       -       -       -       -       -       -       -       -
authenticator                              -       -       -       -       -       -       -       -       -       -
usersession                                -       -       -       -       -       -       -       -       -       -
procrastinatejob                           -       -       -       -       -       -       -       -       -       -
batch                                      -       -       -       -       r       r      ra       r      ra       -
product                                    -       -       -       -       r       r     rac       r     rac       -
program                                    -       -       -       -       r       r     rac       r     rac       -
retailer                                   -       -       -       -       r       r     rac       r     rac       -
account                                    -       -       -       -       r       r     rac       r     rac       -
apikey                                     -       -       -       -       r       r       r       r       r       -
creditreason                               -       -       -       -       -       -     rac       r     rac       -
openinghours                               -       -       -       -       -       -    racd       -    racd       -
holiday                                    -       -       -       -       -       -    racd       -    racd       -
target                                     -       -       -       -       -       -     rcd       -     rcd       -
knownerror                                 -       -       -       r       r       r     rac       r     rac       -
macro                                      -       -       -       r       r       r     rac       -     rac       -
user                                       -       -       -       -       -       -       -       -     rac       -
"""

COLUMNS = [None, *Role]
LINKS = re.findall(r'case "([a-z-]+)":', inspect.getsource(ticket_links))


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


class World:
    """One of everything, and where it is. `me` signs in; nobody where that is None."""

    def __init__(self, role):
        if role:
            self.client, self.me = at_the_desk(role)
        else:
            self.client, self.me = Client(), None
        agent = factories.user(Role.AGENT)
        batch = factories.batch()
        self.account = factories.account(batch.product.program, user=self.me)
        self.card, self.frozen, self.unsold = (
            factories.card(batch, status=status)
            for status in (CodeStatus.ACTIVE, CodeStatus.FROZEN, CodeStatus.INACTIVE)
        )
        self.sign = sign_of([self.card, self.unsold])
        self.platform_key = platforms.key(self.account.program)[0]
        webhook = receiving.endpoint("https://platform.example.com/hooks", self.account.program)
        self.webhook = receiving.delivery(webhook, status="given_up")
        self.attempt = Attempt.objects.create(
            account=self.account,
            program=self.account.program,
            outcome=AttemptOutcome.REFUSED,
            reason=RefusalReason.UNKNOWN,
            channel=Channel.WEB,
            at=timezone.now(),
        )
        self.asked = {
            "private": factories.ticket(),
            "public": factories.ticket(channel=TicketChannel.SOCIAL),
        }
        # To link them to.
        self.twins = {"private": factories.ticket(), "public": factories.ticket(channel=TicketChannel.SOCIAL)}
        self.export, self.other_export = (
            Export.objects.create(what="credits", format="csv", status="done", by=by)
            for by in (self.me or agent, agent)
        )
        self.view = SavedView.objects.create(owner=self.me or agent, name="Mine", query="view=all")
        self.other_view = SavedView.objects.create(owner=agent, name="Hers", query="view=all")
        # Written by whoever may: by the reader, where he may take it back.
        writer = self.me if self.me and self.me.may(Permission.ANSWER_TICKETS) else agent
        self.answers = {
            kind: write_staff_message(
                ticket=ticket,
                kind=MessageKind.REPLY,
                body="Which country?",
                by=writer if ticket in Ticket.objects.visible_to(writer) else agent,
            )
            for kind, ticket in self.asked.items()
        }
        # Needs a second person, whoever asks; and not more than any role that decides may approve.
        always = factories.credit_reason("correction", needs_approval=True)
        asks = self.me if self.me and self.me.may(Permission.GRANT_CREDITS) else agent
        self.request, self.others_request = (
            credits.request(factories.wanted(amount=15_000, reason=always), why="Lost.", by=person)
            for person in (asks, agent)
        )
        self.credit = factories.credit(factories.account(batch.product.program))
        self.spent = factories.card(batch)
        redeem(account=factories.account(batch.product.program), text=self.spent.text, channel=Channel.WEB)
        self.report, self.allowed, self.seen = self._reported(agent)
        self.event = audit.record(AuditAction.SIGNED_IN, by=agent)
        self.cause = Cause.objects.create(
            known_error=factories.known_error(),
            title="Typed wrongly",
            question="How?",
            remedy="Retype.",
            reply="Retype.",
        )
        self.macro = Macro.objects.create(name="Ask for the country", body="Which country?")
        self.rows = {
            "account": self.account,
            "apikey": tills.key(batch.retailer)[0],
            "batch": batch,
            "creditreason": always,
            "holiday": Holiday.objects.create(day="2026-12-25", name="Christmas"),
            "knownerror": self.cause.known_error,
            "macro": self.macro,
            "openinghours": OpeningHours.objects.create(weekday=0, opens="09:00", closes="17:00"),
            "product": batch.product,
            "program": batch.product.program,
            "retailer": batch.retailer,
            "target": Target.objects.get_or_create(priority=1, defaults={"first_response": 60, "resolution": 600})[0],
            "user": agent,
        }

    def _reported(self, agent):
        """A report with one card to be judged, and one whose replacement was allowed."""
        frozen, allowed = factories.cards(2)
        report = factories.report(frozen, allowed)
        asked = judging.request_replacement(report, serials=[allowed.serial], source=None, by=agent, reason="Torn.")
        decisions.approve(asked, by=factories.user(Role.MANAGER))
        return report, allowed, seen_of([frozen.serial])

    @cached_property
    def files(self):
        return {
            kind: attached(bought(number), ticket=ticket) for number, (kind, ticket) in enumerate(self.asked.items())
        }

    def status(self, method, path, data):
        """Of one request, which leaves the world as it was; redeeming does not bear a transaction around it."""
        send = getattr(self.client, method.lower())
        if path == "/redeem/":
            return send(path, data).status_code
        with transaction.atomic():
            status = send(path, data).status_code
            transaction.set_rollback(True)
        return status


def requests(world):
    """{row: (path, what is posted)}; a query for what is read."""
    card, account = world.card, world.account
    of = {
        "codes": f"/codes/{card.serial}/",
        "customer": f"/customers/{account.reference}/",
        "report": f"/compromised/{world.report.reference}/",
        "webhook": f"/platforms/webhooks/{world.webhook.endpoint_id}/",
    }
    to_credit = {
        "account": world.credit.account.reference,
        "amount": "1",
        "unit": "GBP",
        "reason": world.credit.reason.slug,
        "ticket": world.credit.ticket.reference,
        "key": str(uuid.uuid4()),
    }
    rows = {
        "GET desk": ("/", {}),
        "POST desk (serial number)": ("/", {"typed": str(card.serial)}),
        "POST desk (words)": ("/", {"typed": "no such words here"}),
        "GET code": (of["codes"], {}),
        "GET code (diagnosis)": (of["codes"], {"account": account.reference}),
        "POST diagnose": (f"{of['codes']}diagnose/", {"account": account.reference}),
        "POST act (activate)": (f"/codes/{world.unsold.serial}/do/activate/", {}),
        "POST act (freeze)": (f"{of['codes']}do/freeze/", {"reason": "stolen"}),
        "POST act (thaw)": (f"/codes/{world.frozen.serial}/do/thaw/", {"reason": "found"}),
        "POST act (unknown)": (f"{of['codes']}do/void/", {}),
        "GET account": (of["customer"], {}),
        "GET attempt": (f"/attempts/{world.attempt.reference}/", {}),
        "GET approvals": ("/approvals/", {}),
        "GET approval (another's)": (f"/approvals/{world.others_request.pk}/", {}),
        "GET approval (one's own)": (f"/approvals/{world.request.pk}/", {}),
        "GET decide": (f"/approvals/{world.others_request.pk}/approve/", {}),
        "POST decide (approve)": (f"/approvals/{world.others_request.pk}/approve/", {}),
        "POST decide (reject)": (f"/approvals/{world.others_request.pk}/reject/", {"reject-reason": "Not his"}),
        "POST decide (reject, without a reason)": (f"/approvals/{world.others_request.pk}/reject/", {}),
        "POST decide (approve, one's own)": (f"/approvals/{world.request.pk}/approve/", {}),
        "POST decide (withdraw, one's own)": (f"/approvals/{world.request.pk}/withdraw/", {}),
        "POST decide (unknown)": (f"/approvals/{world.request.pk}/undo/", {}),
        "GET credit_policy": ("/credits/policy/", {}),
        "GET credit_policy (edit)": ("/credits/policy/", {"edit": "1"}),
        "POST credit_policy": ("/credits/policy/", {}),
        "GET stop_credits": ("/credits/stop/", {}),
        "POST stop_credits": ("/credits/stop/", {"do": "stop", "reason": "Fraud"}),
        "POST stop_credits (allow again)": ("/credits/stop/", {"do": "resume", "reason": "None"}),
        "GET credits": ("/credits/", {}),
        "GET credit_list": ("/credits/list/", {}),
        "GET outages": ("/outages/", {}),
        "GET switch_redeeming (off)": (f"/outages/{account.program.slug}/off/", {}),
        "POST switch_redeeming (off)": (f"/outages/{account.program.slug}/off/", {"message": "Back at six."}),
        "POST switch_redeeming (on, it works)": (f"/outages/{account.program.slug}/on/", {}),
        "POST switch_redeeming (unknown)": (f"/outages/{account.program.slug}/aside/", {}),
        "GET liability": ("/reports/liability/", {}),
        "GET failures": ("/reports/failures/", {}),
        "GET signals": ("/reports/signals/", {}),
        "GET signs": ("/compromised/signs/", {}),
        "GET sign": (f"/compromised/signs/{world.sign.pk}/", {}),
        "POST sign (dismiss)": (
            f"/compromised/signs/{world.sign.pk}/",
            {"verdict": "dismiss", "dismiss-reason": "A fair"},
        ),
        "POST sign (report)": (f"/compromised/signs/{world.sign.pk}/", {"verdict": "report"}),
        "POST sign (unknown)": (f"/compromised/signs/{world.sign.pk}/", {"verdict": "burn"}),
        "GET compromised": ("/compromised/", {}),
        "GET compromise": (of["report"], {}),
        "GET judge": (f"{of['report']}do/clear/", {}),
        **{f"POST judge ({verb})": (f"{of['report']}do/{verb}/", {"which": "frozen"}) for verb in VERBS},
        **{
            f"POST judge ({verb}, confirmed)": (
                f"{of['report']}do/{verb}/",
                {"which": "frozen", "confirmed": "1", "seen": world.seen, "reason": "Found again."},
            )
            for verb in ("clear", "void")
        },
        "POST judge (clear, not looked at)": (
            f"{of['report']}do/clear/",
            {"which": "frozen", "confirmed": "1", "reason": "Found again."},
        ),
        "POST judge (ask)": (f"{of['report']}do/ask/", {"ask-text": "Which store?"}),
        "POST judge (unknown)": (f"{of['report']}do/burn/", {"which": "frozen"}),
        "GET hand_over": (f"{of['report']}replace/{world.allowed.serial}/", {}),
        "POST hand_over (shown)": (f"{of['report']}replace/{world.allowed.serial}/", {"do": "show"}),
        "POST hand_over (sent, nowhere)": (f"{of['report']}replace/{world.allowed.serial}/", {"do": "send"}),
        "GET statement": (f"{of['report']}statement/", {}),
        "GET new_compromised": ("/compromised/new/", {"serial": str(card.serial)}),
        "POST new_compromised": ("/compromised/new/", {}),
        "POST new_compromised (reported)": (
            "/compromised/new/",
            {"cards": str(card.serial), "kind": "scam", "send_key": "k"},
        ),
        "GET new_credit": ("/credits/new/", {"account": world.credit.account.reference}),
        "POST new_credit": ("/credits/new/", {}),
        "POST new_credit (granted)": ("/credits/new/", to_credit),
        "POST new_credit (asked for)": ("/credits/new/", to_credit | {"do": "ask", "why": "An outage of ours."}),
        "GET credit": (f"/credits/{world.credit.reference}/", {}),
        "POST reverse_credit": (f"/credits/{world.credit.reference}/reverse/", {"why": "Booked twice."}),
        "GET move_card": (f"/codes/{world.spent.serial}/move/", {}),
        "POST move_card": (
            f"/codes/{world.spent.serial}/move/",
            {"to": world.credit.account.reference, "ticket": world.credit.ticket.reference, "why": "Both are hers."},
        ),
        "GET exports": ("/exports/", {}),
        "POST new_export": ("/exports/new/", {}),
        "POST new_export (credits)": ("/exports/new/", {"what": "credits", "query": "unit=GBP", "format": "xlsx"}),
        "GET export (one's own)": (f"/exports/{world.export.pk}/", {}),
        "GET export (another's)": (f"/exports/{world.other_export.pk}/", {}),
        "POST export_file (one's own)": (f"/exports/{world.export.pk}/file/", {}),
        "POST export_file (another's)": (f"/exports/{world.other_export.pk}/file/", {}),
        "GET audit": ("/audit/", {"target": f"account:{account.pk}"}),
        "POST audit": ("/audit/", {"target": account.reference}),
        "GET seals": ("/audit/seals/", {}),
        "GET platform_keys": ("/platforms/keys/", {}),
        "POST platform_keys": ("/platforms/keys/", {}),
        "POST platform_keys (made)": (
            "/platforms/keys/",
            {"program": account.program_id, "name": "app servers", "scopes": ["redeem"]},
        ),
        "GET platform_key": (f"/platforms/keys/{world.platform_key.pk}/", {}),
        "POST platform_key": (f"/platforms/keys/{world.platform_key.pk}/", {}),
        "POST platform_key (rotated)": (f"/platforms/keys/{world.platform_key.pk}/", {"keep_days": "7"}),
        "POST platform_key (revoked)": (f"/platforms/keys/{world.platform_key.pk}/", {"do": "revoke", "sure": "on"}),
        "GET webhooks": ("/platforms/webhooks/", {}),
        "POST webhooks": ("/platforms/webhooks/", {}),
        "POST webhooks (made)": (
            "/platforms/webhooks/",
            {"program": account.program_id, "url": "https://other.example.com/", "kinds": ["redeemed"]},
        ),
        "GET webhook": (of["webhook"], {}),
        "POST webhook (rotate)": (of["webhook"], {"do": "rotate"}),
        "POST webhook (off)": (of["webhook"], {"do": "off"}),
        "POST webhook (test)": (of["webhook"], {"do": "test"}),
        "POST webhook (kinds)": (of["webhook"], {"do": "kinds", "kinds": ["frozen"]}),
        "POST webhook (again)": (of["webhook"], {"do": "again", "since": "2020-01-01"}),
        "POST webhook (unknown)": (of["webhook"], {"do": "burn"}),
        "GET webhook_delivery": (f"{of['webhook']}{world.webhook.pk}/", {}),
        "POST webhook_delivery": (f"{of['webhook']}{world.webhook.pk}/", {}),
        "GET tickets": ("/tickets/", {}),
        "GET bulk": ("/tickets/bulk/", {}),
        "POST bulk": ("/tickets/bulk/", {"deed": "priority:4", "chosen": str(world.asked["public"].pk)}),
        "POST bulk (confirmed)": (
            "/tickets/bulk/",
            {"deed": "priority:4", "tickets": str(world.asked["public"].pk), "confirmed": ""},
        ),
        "GET new_ticket": ("/tickets/new/", {"card": str(card.serial), "account": account.reference}),
        "POST new_ticket": ("/tickets/new/", {}),
        "POST save_view": ("/tickets/views/", {"name": "Another", "query": "view=all"}),
        "POST change_view (one's own)": (f"/tickets/views/{world.view.pk}/", {"name": "Renamed"}),
        "POST change_view (another's)": (f"/tickets/views/{world.other_view.pk}/", {"name": "Renamed"}),
        "GET redeem": ("/redeem/", {}),
        "POST redeem": ("/redeem/", {"account": account.reference, "code": card.text, "key": "k"}),
        "GET redeem_confirm": ("/redeem/confirm/", {}),
        "POST redeem_confirm (nothing sealed)": ("/redeem/confirm/", {"sealed": "x"}),
        "GET redeem_challenge": ("/redeem/challenge/", {}),
        "POST redeem_challenge (number)": ("/redeem/challenge/", {"account": account.reference, "number": "123456"}),
        "POST redeem_challenge (mail)": ("/redeem/challenge/", {"account": account.reference}),
    }
    for asked, ticket in world.asked.items():
        path, file = f"/tickets/{ticket.reference}/", world.files[asked]
        seen = ticket.messages.order_by("-pk").first().pk
        writer = world.me or world.rows["user"]
        rows |= {
            f"GET ticket ({asked})": (path, {}),
            f"GET original ({asked})": (f"{path}files/{file.pk}/", {}),
            f"GET picture ({asked})": (f"{path}files/{file.pk}/1/", {}),
            f"GET small_picture ({asked})": (f"{path}files/{file.pk}/1/small/", {}),
            f"POST draft ({asked})": (
                f"{path}draft/",
                {"kind": "note", "body": "Hm", "keeper": keeper_of(ticket, writer), "send_key": "k"},
            ),
            f"POST draft (unsigned, {asked})": (f"{path}draft/", {"kind": "note", "body": "Hm", "keeper": "x"}),
            f"POST presence ({asked})": (f"{path}presence/", {}),
            f"GET write ({asked})": (f"{path}write/note/", {}),
            f"POST write (reply, {asked})": (
                f"{path}write/reply/",
                {"body": "Hello", "seen": str(seen), "send_key": "k", "keeper": keeper_of(ticket, writer)},
            ),
            f"POST write (note, {asked})": (
                f"{path}write/note/",
                {"body": "Hello", "seen": str(seen), "send_key": "k", "keeper": keeper_of(ticket, writer)},
            ),
            f"POST take_back ({asked})": (f"{path}unsend/{world.answers[asked].pk}/", {}),
            f"POST choose_known_error ({asked})": (f"{path}known-error/", {"known_error": world.rows["knownerror"].pk}),
            f"POST use_reply ({asked})": (f"{path}known-error/{world.cause.pk}/", {}),
            f"GET preview_macro ({asked})": (f"{path}macros/{world.macro.pk}/", {}),
            f"POST use_macro ({asked})": (f"{path}use/reply/", {"use": str(world.macro.pk), "body": ""}),
            **{
                f"POST link ({verb}, {asked})": (f"{path}links/{verb}/", {"other": world.twins[asked].reference})
                for verb in LINKS
            },
            f"GET merge ({asked})": (f"{path}merge/", {}),
            f"POST merge ({asked})": (f"{path}merge/", {"other": world.twins[asked].reference}),
            f"POST merge (confirmed, {asked})": (
                f"{path}merge/",
                {"other": world.twins[asked].reference, "confirmed": "1"},
            ),
            f"GET incidents ({asked})": (f"{path}incidents/", {}),
            f"POST incidents ({asked})": (f"{path}incidents/", {"body": "It works again", "key": "k"}),
            f"GET change_ticket ({asked})": (f"{path}change/", {}),
            f"POST change_ticket ({asked})": (f"{path}change/", {}),
            f"POST take ({asked})": (f"{path}take/", {}),
        }
    return rows


# What a letter of ADMIN opens, as url names' endings by method.
OPENS = {
    "r": {("GET", "changelist"), ("POST", "changelist"), ("GET", "change")},
    "a": {("GET", "add"), ("POST", "add")},
    "c": {("POST", "change")},
    "d": {("GET", "delete"), ("POST", "delete")},
}


def table(text):
    """{row: {role: cell}}"""
    lines = text.strip("\n").splitlines()[1:]
    rows = {}
    for line in lines:
        name, *cells = re.split(r"  +", line.strip())
        rows[name] = dict(zip(COLUMNS, cells, strict=True))
    return rows


@pytest.mark.parametrize("role", COLUMNS)
def test_each_page_and_each_action_answers_each_role_as_the_table_says(role):
    world = World(role)
    asked = requests(world)
    found = {row: world.status(row.split()[0], path, data) for row, (path, data) in asked.items()}
    assert found == {row: int(cells[role]) for row, cells in table(PAGES).items()}


@pytest.mark.parametrize("role", COLUMNS)
def test_each_model_in_the_admin_is_read_added_changed_and_deleted_as_the_table_says(role):
    world = World(role)
    closed = 302 if role is None else 404
    for name, cells in table(ADMIN).items():
        opened = set().union(*(OPENS[letter] for letter in cells[role] if letter != "-"))
        model = next(model for model in admin.site._registry if model._meta.model_name == name)
        base = f"admin:{model._meta.app_label}_{name}"
        # Models of the apps that we use are nobody's to see, whether there are any rows or not.
        pk = world.rows[name].pk if name in world.rows else 1
        paths = {
            what: reverse(f"{base}_{what}", args=[pk] if what in ("change", "delete") else [])
            for what in ("changelist", "change", "add", "delete")
        }
        found = {(method, what): world.status(method, paths[what], {}) for method in ("GET", "POST") for what in paths}
        assert found == {asked: 200 if asked in opened else closed for asked in found}, name


# --- Complete


def test_every_model_in_the_admin_is_in_the_table():
    assert {model._meta.model_name for model in admin.site._registry} == set(table(ADMIN))


def test_every_row_is_asked_for_and_every_method_of_every_url_has_a_row():
    world = World(Role.ADMINISTRATOR)
    rows = requests(world)
    assert list(rows) == list(table(PAGES))
    listed = {tuple(row.split()[:2]) for row in rows}
    urls = {pattern.name: pattern for pattern in (*desk_urls.urlpatterns, *customers_urls.urlpatterns)}
    assert {name for _, name in listed} == set(urls)
    path_of = {row.split()[1]: path for row, (path, _) in rows.items()}
    answered = {
        (method, name)
        for name in urls
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if world.status(method, path_of[name], {}) != 405
    }
    assert answered == listed


def test_every_verb_of_a_card_and_every_kind_of_writing_has_a_row():
    rows = " ".join(table(PAGES))
    assert [verb for verb in ACTIONS if f"POST act ({verb})" not in rows] == []
    assert [verb for verb in VERBS if f"POST judge ({verb})" not in rows] == []
    assert len(LINKS) > 1
    assert [verb for verb in LINKS if f"POST link ({verb}, " not in rows] == []
    assert [kind for kind in WRITTEN if f"POST write ({kind}, " not in rows] == []


def test_who_opens_accounts_may_see_who_a_customer_is():
    """The account's page masks nothing."""
    for role, permissions in PERMISSIONS.items():
        assert Permission.VIEW_ACCOUNTS not in permissions or Permission.SEE_PERSONAL_DATA in permissions, role
