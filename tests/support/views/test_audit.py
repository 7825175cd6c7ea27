"""The audit trail's page: who did what and who looked, filtered, in sentences, and read by nobody unrecorded."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from redemption.models import ApiKey, Attempt, AttemptOutcome, Channel, User
from redemption.roles import PERMISSIONS, Permission, Role
from support import audit
from support.models import (
    AuditAction,
    AuditEvent,
    AuditPersonal,
    CardSign,
    Holiday,
    KnownError,
    Macro,
    OpeningHours,
    Target,
)
from support.trail.groups import GROUPS, LOOKS, name_of
from support.trail.names import KINDS, Names
from support.trail.query import Query
from support.trail.sentences import lines
from support.trail.tickets import CHUNK, LOOKS_AT_CUSTOMERS, MOST_CHUNKS, unticketed
from tests import factories
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db
A = AuditAction
MAY = datetime(2026, 5, 14, 9, 30, tzinfo=UTC)
TRAIL = "/audit/"


def event(action, by, target="", *, at=MAY, **details):
    """As `audit.record` writes it, at a moment of the past."""
    return AuditEvent.objects.create(
        at=at, actor_id=by.pk, actor_role=by.role, action=action, target=target, details=details
    )


def found(client, **query):
    """The keys of the events shown, but for those of reading the trail."""
    response = client.get(TRAIL, query)
    assert response.status_code == 200
    told = [line for _, of_day in response.context["days"] for line in of_day]
    return [line.event.pk for line in told if line.event.action != A.AUDIT_READ]


def sentence_of(made, reader=None):
    (line,) = lines([made], shown_to=reader or factories.user(Role.AUDITOR))
    return line.sentence, ["".join(part.text for part in fact) for fact in line.facts]


@pytest.fixture
def anna():
    return factories.user(Role.AGENT, name="Anna Agent")


@pytest.fixture
def bert():
    return factories.user(Role.AGENT, name="Bert Agent")


@pytest.fixture
def auditor():
    return at_the_desk(Role.AUDITOR)[0]


# --- The question it is made for


def test_who_looked_at_this_account_in_may_and_did_anybody_without_a_ticket(auditor, anna, bert):
    account, other = factories.account(), factories.account()
    ticket = factories.ticket(account.program, account=account)
    event(A.TICKET_OPENED, anna, f"ticket:{ticket.pk}", at=MAY - timedelta(hours=20))
    with_ticket = event(A.ACCOUNT_OPENED, anna, f"account:{account.pk}")
    without = event(A.ACCOUNT_OPENED, bert, f"account:{account.pk}", at=MAY + timedelta(hours=1))
    event(A.ACCOUNT_OPENED, bert, f"account:{account.pk}", at=datetime(2026, 6, 1, tzinfo=UTC))
    event(A.ACCOUNT_OPENED, bert, f"account:{other.pk}")

    # One click from the account's page, one filter.
    account_page = auditor.get(f"/customers/{account.reference}/").content.decode()
    assert f'href="/audit/?target=account:{account.pk}"' in account_page
    asked = {"target": f"account:{account.pk}", "from": "2026-05-01", "until": "2026-05-31"}
    assert found(auditor, **asked) == [without.pk, with_ticket.pk]
    response = auditor.get(TRAIL, asked)
    text = shown(response)
    assert f"Who looked at account {account.reference} Who" not in text
    people = [(row.name, row.looked, row.without_ticket) for row, _ in response.context["people"]]
    assert people == [("Bert Agent", 1, 1), ("Anna Agent", 1, 0)]
    flagged = [line.event.pk for _, of_day in response.context["days"] for line in of_day if line.has_no_ticket]
    assert flagged == [without.pk]
    assert found(auditor, **asked, ticket="none") == [without.pk]
    assert "Thursday, 14 May 2026" in text
    assert "UTC" in text


def test_a_look_has_a_ticket_of_the_cards_redeemer_of_the_cards_own_and_within_a_day_only(anna, bert):
    card = factories.card()
    account = factories.account(card.batch.product.program)
    from redemption.redeem import redeem

    redeem(account=account, text=card.text, channel=Channel.WEB)
    attempt = Attempt.objects.get(account=account)
    victim = factories.ticket(card.batch.product.program, code=card.row)
    event(A.TICKET_OPENED, anna, f"ticket:{victim.pk}")
    looks = {
        "the card": event(A.CODE_OPENED, anna, f"code:{card.serial}", at=MAY + timedelta(hours=23)),
        "whoever redeemed it": event(A.ACCOUNT_OPENED, anna, f"account:{account.pk}"),
        "his try": event(A.ATTEMPT_OPENED, anna, f"attempt:{attempt.pk}"),
        "too late": event(A.CODE_OPENED, anna, f"code:{card.serial}", at=MAY + timedelta(hours=25)),
        "another person": event(A.CODE_OPENED, bert, f"code:{card.serial}"),
        "no look at a customer": event(A.TICKETS_LISTED, bert),
        "no such try": event(A.ATTEMPT_OPENED, bert, "attempt:999999"),
    }
    names = {made.pk: name for name, made in looks.items()}
    assert {names[pk] for pk in unticketed(looks.values())} == {"too late", "another person", "no such try"}


def test_a_record_is_found_where_it_stood_in_a_list_and_where_an_event_names_it(auditor, anna):
    account, other = factories.account(), factories.account()
    target = f"account:{account.pk}"
    listed = event(A.ACCOUNTS_LISTED, anna, also=[f"account:{other.pk}", target])
    diagnosed = event(A.DIAGNOSED, anna, "code:1000000001", account=account.pk)
    opened = event(A.ACCOUNT_OPENED, anna, target)
    event(A.ACCOUNTS_LISTED, anna, also=[f"account:{account.pk}0"])
    event(A.DIAGNOSED, anna, "code:1000000001", ticket=account.pk)
    assert found(auditor, target=target) == [opened.pk, diagnosed.pk, listed.pk]
    assert found(auditor, target=target, lists="none") == [opened.pk, diagnosed.pk]
    # Reading its trail is a look at it, too.
    read = AuditEvent.objects.filter(action=A.AUDIT_READ).latest("pk")
    assert read.details == {"also": [target], "filters": {"target": target, "lists": "none"}}


# --- Filters


def test_filters_by_person_action_group_target_and_time_combine(auditor, anna, bert):
    made = {
        (who, action, day): event(
            action, {"anna": anna, "bert": bert}[who], f"account:{day}", at=MAY + timedelta(days=day)
        ).pk
        for who in ("anna", "bert")
        for action in (A.ACCOUNT_OPENED, A.ACCOUNT_CHANGED)
        for day in (0, 1, 40)
    }

    def wanted(**query):
        match = {
            "person": lambda who, action, day: {"anna": anna, "bert": bert}[who].pk == int(query["person"]),
            "action": lambda who, action, day: query["action"] in (action, LOOKS if action == A.ACCOUNT_OPENED else ""),
            "target": lambda who, action, day: query["target"] == f"account:{day}",
            "from": lambda who, action, day: day >= 1,
            "until": lambda who, action, day: day <= 1,
        }
        return {pk for key, pk in made.items() if all(match[name](*key) for name in query)}

    values = {
        "person": str(anna.pk),
        "action": LOOKS,
        "target": "account:1",
        "from": "2026-05-15",
        "until": "2026-05-15",
    }
    for chosen in range(1, 2 ** len(values)):
        query = {name: values[name] for place, name in enumerate(values) if chosen & 1 << place}
        assert set(found(auditor, **query)) == wanted(**query), query
    assert len(wanted(**values)) == 1
    assert set(found(auditor, action=A.ACCOUNT_CHANGED)) == wanted(action=A.ACCOUNT_CHANGED)


def test_the_form_takes_references_and_leads_to_an_address_with_ids_only(auditor, anna):
    account, ticket, card = factories.account(), factories.ticket(), factories.card()
    for typed, target in (
        (account.reference.lower(), f"account:{account.pk}"),
        (f" {ticket.reference} ", f"ticket:{ticket.pk}"),
        (str(card.serial), f"code:{card.serial}"),
        ("batch:7", "batch:7"),
    ):
        response = auditor.post(TRAIL, {"target": typed, "person": anna.pk, "action": LOOKS, "since": "2026-05-01"})
        assert response.status_code == 303
        assert (
            response.url
            == f"/audit/?{Query(target=target, person=anna.pk, action=LOOKS, since=MAY.date().replace(day=1)).address}"
        )
        assert auditor.get(response.url).status_code == 200
    assert auditor.post(TRAIL, {"unticketed": "on", "alone": "on"}).url == "/audit/?ticket=none&lists=none"
    assert auditor.post(TRAIL, {}).url == "/audit/"


@pytest.mark.parametrize(
    "fields",
    [
        {"target": "AC-0000-0000-0000"},
        {"target": "somebody"},
        {"target": "nothing:1"},
        {"target": "account:\0"},
        {"target": "x" * 5000},
        {"person": "9" * 30},
        {"action": "dance"},
        {"since": "32.13.2026"},
        {"since": "1999-12-31"},
        {"since": "2026-05-02", "until": "2026-05-01"},
    ],
)
def test_what_is_wrong_with_a_filter_is_said_and_nothing_is_lost(auditor, fields):
    response = auditor.post(TRAIL, {"until": "2026-05-31", **fields})
    assert response.status_code == 422
    assert response.context["form"].errors
    assert "2026-05-" in response.content.decode()


def test_a_code_goes_into_no_address_and_into_no_event(auditor):
    card = factories.card()
    response = auditor.post(TRAIL, {"target": card.text})
    assert response.status_code == 422
    assert card.text not in repr(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    "query",
    [
        "target=nothing",
        "target=account:%00",
        "target=account:" + "9" * 50,
        "person=x",
        "person=" + "9" * 30,
        "action=dance",
        "from=yesterday",
        "from=0001-01-01",
        "until=9999-12-31",
        "before=x",
        "before=999999",
        "event=" + "9" * 30,
    ],
)
def test_an_address_that_asks_for_no_filter_does_not_exist(auditor, query):
    assert auditor.get(f"{TRAIL}?{query}").status_code in {400, 404}


def test_a_list_goes_on_where_it_ended_whatever_was_written_meanwhile(auditor, anna):
    # Several of one moment: by time alone some would be left out or shown twice.
    made = [
        event(A.ACCOUNT_OPENED, anna, "account:1", at=MAY + timedelta(minutes=number // 7)).pk for number in range(130)
    ]
    seen, query = [], {"action": A.ACCOUNT_OPENED}
    for _ in range(3):
        response = auditor.get(TRAIL, query)
        seen += [line.event.pk for _, of_day in response.context["days"] for line in of_day]
        event(A.ACCOUNT_OPENED, anna, "account:1", at=MAY + timedelta(days=1))
        query["before"] = response.context["older"]
    assert seen == made[::-1]
    assert query["before"] is None


def test_looks_without_a_ticket_are_searched_for_a_stretch_at_a_time(auditor, anna):
    account = factories.account()
    ticket = factories.ticket(account.program, account=account)
    event(A.TICKET_OPENED, anna, f"ticket:{ticket.pk}")
    old = event(A.ACCOUNT_OPENED, anna, "account:1", at=MAY - timedelta(days=9))
    AuditEvent.objects.bulk_create(
        AuditEvent(
            at=MAY + timedelta(seconds=number),
            actor_id=anna.pk,
            actor_role=anna.role,
            action=A.ACCOUNT_OPENED,
            target=f"account:{account.pk}",
        )
        for number in range(CHUNK * MOST_CHUNKS)
    )
    first = auditor.get(TRAIL, {"ticket": "none"})
    assert first.context["days"] == []
    assert "None down to 14 May 2026, 09:30 UTC" in shown(first)
    assert found(auditor, ticket="none", before=first.context["older"]) == [old.pk]


@pytest.mark.parametrize("target", ["", "account:12"])
@pytest.mark.parametrize("person", [None, 7])
@pytest.mark.parametrize("action", ["", A.ROLE_CHANGED, LOOKS])
@pytest.mark.parametrize("day", [None, MAY.date()])
@pytest.mark.parametrize("before", [None, (MAY, 7)])
def test_whatever_is_asked_is_answered_from_an_index(target, person, action, day, before):
    """With the trail empty the planner would read all of it, if it could."""
    query = Query(target=target, person=person, action=action, since=day, until=day)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for stream in query._streams(query.actions, before):
            plan = stream[:50].explain()
            assert "Seq Scan" not in plan, plan


# --- Sentences


def test_every_action_is_in_one_group_has_a_name_and_reads_as_a_sentence(anna):
    grouped = [action for _, actions in GROUPS.values() for action in actions]
    assert sorted(grouped) == sorted(AuditAction)
    assert set(LOOKS_AT_CUSTOMERS) <= GROUPS[LOOKS][1]
    account = factories.account()
    for action in AuditAction:
        said, _ = sentence_of(event(action, anna, f"account:{account.pk}"))
        assert "Anna Agent" in said
        assert "{" not in said
        assert "account:" not in said
        assert name_of(action)[0].isupper()


def test_every_kind_of_record_is_named_and_linked_where_the_reader_may_open_it(settings, anna):
    """What is linked opens; what is not linked does not exist for this reader, or has no page of its own."""
    credit = factories.credit(by=anna)
    card = factories.card()
    report = factories.report(card)
    sign = CardSign.objects.create(
        kind="not_activated", batch=card.batch, first_serial=card.serial, last_serial=card.serial + 9, is_run=True,
        cards=10, tried=4, tries=5, expected=0.1, chance=1e-7, since=MAY, until=MAY, raised_at=MAY,
    )  # fmt: skip
    key = ApiKey.objects.create(
        retailer=card.batch.retailer, name="tills", prefix="rk_1", digest=b"1" * 32, scopes=["report"],
        created_by=anna, created_at=MAY,
    )  # fmt: skip
    rows = {
        "account": credit.account,
        "attempt": Attempt.objects.create(
            account=credit.account, program=credit.program, outcome=AttemptOutcome.REFUSED, reason="unknown",
            channel=Channel.WEB, at=MAY,
        ),
        "ticket": credit.ticket,
        "credit": credit,
        "user": anna,
        "policy": credit.policy,
        "reason": credit.reason,
        "batch": card.batch,
        "product": card.batch.product,
        "program": card.batch.product.program,
        "retailer": card.batch.retailer,
        "known_error": factories.known_error(),
        "macro": Macro.objects.create(name="Ask", body="Which country?"),
        "openinghours": OpeningHours.objects.create(weekday=0, opens="09:00", closes="17:00"),
        "holiday": Holiday.objects.create(day="2026-12-25", name="Christmas"),
        "report": report,
        "sign": sign,
        "api_key": key,
        "target": Target.objects.get_or_create(priority=1, defaults={"first_response": 60, "resolution": 600})[0],
    }  # fmt: skip
    for role in (role for role, permissions in PERMISSIONS.items() if Permission.VIEW_AUDIT in permissions):
        client, reader = at_the_desk(role)
        targets = {f"{kind}:{row.pk}" for kind, row in rows.items()} | {f"code:{card.serial}"}
        names = Names(targets, shown_to=reader)
        for target in sorted(targets):
            kind = target.partition(":")[0]
            name = names[target]
            assert name.text != target
            assert getattr(rows.get(kind), "reference", "") in name.text
            if name.address:
                assert client.get(name.address).status_code == 200, (role, target)
        assert not names[f"user:{anna.pk}"].address or reader.may(Permission.MANAGE_STAFF)
    assert names[f"credit:{credit.pk}"].text == f"credit {credit.reference} of £5.00"
    assert names[f"code:{card.serial}"].text == f"card {card.serial}"


def test_what_is_no_more_or_never_was_is_named_by_its_number():
    names = Names({f"{kind}:987654" for kind in KINDS}, shown_to=factories.user(Role.ADMINISTRATOR))
    for kind in KINDS:
        name = names[f"{kind}:987654"]
        assert ("987654" in name.text, name.address) == (True, "")
    assert names["strange thing"].text == "strange thing"
    assert names["account:x"].text == "account x"
    assert names["list:account"].text == "accounts"
    assert names["list:user"].text == "people"
    assert names["list:nothing"].text == "nothing"


@pytest.mark.parametrize(
    ("action", "target", "details", "sentence", "facts"),
    [
        (A.LOOKED_UP, "", {"also": ["code:1", "code:2", "code:3", "code:4"]},
         "* looked something up and found 4 records", ["card 1, card 2, card 3 and 1 more"]),
        (A.SIGN_IN_FAILED, "", {}, "Somebody tried to sign in as * and failed", []),
        (A.SIGN_IN_FAILED, "", {"known": 0}, "Somebody tried to sign in with an address that nobody has here", []),
        (A.SIGN_IN_FAILED, "", {"did": "second_factor"}, "Somebody signing in as * failed at the second factor", []),
        (A.SIGN_IN_CHANGED, "", {"did": "password"}, "* changed how he signs in", ["set a new password"]),
        (A.CATALOGUE_CHANGED, "batch:7", {"did": "freeze"}, "* froze batch 7", []),
        (A.CATALOGUE_CHANGED, "product:7",
         {"fields": "name expires_on", "changes": {"stacking_cap_months": [18, None]}},
         "* changed product 7 in the catalogue",
         ["stacking cap months from 18 to none", "changed name, expires on"]),
        (A.CARD_CHANGED, "code:1000000001", {"change": "void", "last": 1000000009},
         "* voided card 1000000001 to 1000000009", []),
        (A.CARD_CHANGED, "code:1000000001", {"change": "freeze", "last": 1000000001}, "* froze card 1000000001", []),
        (A.ROLE_CHANGED, "user:0", {"old": "agent", "new": "manager"}, "* changed the role of person 0",
         ["from Support agent to Manager"]),
        (A.CREDIT_GRANTED, "account:0", {"amount": 500, "unit": "GBP", "approval": None},
         "* granted a credit to account 0", ["£5.00"]),
        (A.CREDIT_GRANTED, "account:0", {"amount": 1, "unit": "days"}, "* granted a credit to account 0", ["1 day"]),
        (A.REQUEST_APPROVED, "request:0", {"asked": "void"}, "* approved request 0", ["void cards"]),
        (A.RECEIPT_OPENED, "ticket:0", {"attachment": 3, "page": 1}, "* opened a picture of ticket 0",
         ["file 3", "page: 1"]),
        (A.DIAGNOSED, "code:1", {"account": None, "ticket": None}, "* diagnosed card 1", []),
        (A.TICKET_MERGED, "ticket:0", {"into": 9}, "* merged ticket 0 into another ticket", ["with ticket 9"]),
        (A.NEAR_MISS_SHOWN, "code:1", {"position": 3, "slip": "wrong"}, "* mistyped a code and was shown card 1",
         ["symbol 3", "wrong symbol"]),
        (A.STAFF_CHANGED, "user:0", {"is_active": 0, "role": "agent", "fields": ""}, "* changed the person person 0",
         ["may no longer sign in", "role: Support agent"]),
        (A.AUDIT_READ, "", {"filters": {"person": "3", "from": "2026-05-01"}}, "* read the audit trail",
         ["from 1 May 2026"]),
        (A.COMPROMISE_OPENED, "report:0", {"also": ["code:1", "account:0"]}, "* opened report 0",
         ["card 1, account 0"]),
        (A.COMPROMISE_OPENED, "report:0", {"did": "void", "cards": 998},
         "* looked at voiding cards of report 0", ["998 cards"]),
        (A.REPORT_OPENED, "report:failures", {}, "* opened the figures of failures", []),
        (A.CARDS_REPORTED, "report:0", {"cards": 1, "channel": "portal"},
         "* reported compromised cards with report 0", ["1 card", "by the retailers’ portal"]),
        (A.CARDS_VOIDED, "report:0", {"cards": 1000, "approval": 4}, "* voided cards of report 0", ["1,000 cards"]),
        (A.CARD_REPLACED, "code:1", {"report": 9, "successor": 2, "approval": 4}, "* replaced card 1",
         ["on report 9", "by card 2"]),
        (A.REPORTS_LISTED, "", {"stage": "answered"}, "* listed reports of compromised cards", ["only “Answered”"]),
        (A.SIGN_JUDGED, "sign:0", {"state": "dismissed"}, "* judged sign 0", ["state: dismissed"]),
        (A.MEMBER_INVITED, "retailer:0", {"invitation": 3, "role": "clerk"},
         "* invited somebody to retailer 0", ["role: Clerk"]),
        (A.MEMBER_INVITED, "retailer:0", {"invitation": 3, "did": "withdrawn"},
         "* withdrew an invitation to retailer 0", []),
        (A.KEY_ROTATED, "retailer:0", {"also": ["api_key:0"]}, "* rotated a key of retailer 0", ["key 0"]),
        (A.LOOKED_UP_NOTHING, "", {"never_heard_of": [1, True]}, "* looked something up and found nothing",
         ["never heard of: 1, yes"]),
    ],
)  # fmt: skip
def test_details_are_told_in_words(anna, action, target, details, sentence, facts):
    assert sentence_of(event(action, anna, target, **details)) == (sentence.replace("*", "Anna Agent"), facts)


def test_personal_details_are_shown_or_said_to_be_erased(auditor, anna):
    made = audit.record(A.ACCOUNTS_LISTED, by=anna, personal="jane@example.com")
    assert "jane@example.com" in shown(auditor.get(TRAIL))
    AuditPersonal.objects.filter(pk=made.pk).delete()
    text = shown(auditor.get(TRAIL))
    assert "jane@example.com" not in text
    assert "personal details erased" in text


def test_what_people_typed_as_names_is_text_in_the_page(auditor):
    person = factories.user(Role.AGENT, name="<b>Anna</b>")
    audit.record(A.ACCOUNTS_LISTED, by=person, personal="<i>jane</i>")
    text = auditor.get(TRAIL).content.decode()
    assert "<b>Anna" not in text
    assert "<i>jane" not in text
    assert "&lt;b&gt;Anna" in text


def test_one_event_by_itself_shows_all_that_it_lists(auditor, anna):
    accounts = [factories.account() for _ in range(6)]
    made = event(A.ACCOUNTS_LISTED, anna, also=[f"account:{account.pk}" for account in accounts])
    event(A.ACCOUNTS_LISTED, anna)
    assert accounts[5].reference not in shown(auditor.get(TRAIL))
    assert found(auditor, event=made.pk) == [made.pk]
    text = shown(auditor.get(TRAIL, {"event": made.pk}))
    assert all(account.reference in text for account in accounts)


# --- Reading it


def test_reading_is_recorded_with_its_filters_and_is_not_what_is_read_first(anna):
    client, reader = at_the_desk(Role.AUDITOR)
    assert "Nothing is recorded yet." in shown(client.get(TRAIL))
    client.get(TRAIL, {"person": anna.pk, "from": "2026-05-01"})
    assert [(made.actor_id, made.target, made.details) for made in AuditEvent.objects.order_by("pk")] == [
        (reader.pk, "", {"filters": {}}),
        (reader.pk, "", {"also": [f"user:{anna.pk}"], "filters": {"person": str(anna.pk), "from": "2026-05-01"}}),
    ]
    assert "Nothing of the kind is recorded." in shown(client.get(TRAIL, {"person": anna.pk}))


def test_the_number_of_queries_does_not_grow_with_what_is_shown(auditor, anna):
    def queries(**query):
        with CaptureQueriesContext(
            connection,
        ) as counted:
            auditor.get(TRAIL, query)
        return len(counted)

    def world():
        account, card = factories.account(), factories.card()
        ticket = factories.ticket(account.program, account=account)
        someone = factories.user(Role.AGENT)
        event(A.TICKET_OPENED, someone, f"ticket:{ticket.pk}")
        event(A.ACCOUNT_OPENED, someone, f"account:{account.pk}", also=[f"code:{card.serial}"])
        event(A.CODE_OPENED, someone, f"code:{card.serial}")
        event(A.RECORD_OPENED, someone, f"batch:{card.batch.pk}")
        event(A.CREDIT_GRANTED, someone, f"account:{account.pk}", credit=factories.credit(account, ticket=ticket).pk)
        audit.record(A.ACCOUNTS_LISTED, by=someone, also=[f"account:{account.pk}"], personal="x@example.com")
        return account

    account = world()
    asked = [{}, {"target": f"account:{account.pk}"}, {"action": LOOKS}, {"person": anna.pk}]
    auditor.get(TRAIL)
    before = [queries(**query) for query in asked]
    for _ in range(3):
        world()
        event(A.ACCOUNTS_LISTED, anna, also=[f"account:{account.pk}"])
        event(A.ACCOUNT_OPENED, factories.user(Role.AGENT), f"account:{account.pk}")
    assert queries() == before[0]
    assert queries(target=f"account:{account.pk}") == before[1]
    assert queries(action=LOOKS) == before[2]


def test_customers_who_sign_in_and_people_who_left_are_names_without_a_page_of_theirs(auditor):
    customer = factories.user(Role.CUSTOMER, name="Carla Customer")
    audit.record(A.SIGNED_IN, by=customer)
    gone = event(A.SIGNED_IN, User(pk=987654, role=Role.AGENT))
    assert sentence_of(gone)[0] == "person 987654 signed in"
    response = auditor.get(TRAIL, {"person": customer.pk})
    assert "Carla Customer signed in" in shown(response)
    assert f'<option value="{customer.pk}" selected>' in response.content.decode()
    assert reverse("admin:redemption_user_change", args=[customer.pk]) not in response.content.decode()


def test_known_errors_are_named_whatever_they_were_called_then(anna):
    error = KnownError.objects.first() or factories.known_error()
    for kind in ("known_error", "knownerror"):
        assert sentence_of(event(A.DESK_CHANGED, anna, f"{kind}:{error.pk}"))[0].startswith(
            f"Anna Agent changed known error “{error}”"
        )
