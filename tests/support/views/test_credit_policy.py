"""The limits' page: what is in force and was before, and the form for another version; and the switch of credits."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from redemption.models import ApprovalRequest
from redemption.roles import Role
from support import policy
from support.actions import decisions, limits
from support.limits import FIELDS, LABELS, ROLES, differences, matrix_from, matrix_of, units
from support.models import AuditAction, AuditEvent, CreditPolicy, CreditStop
from tests import factories
from tests.support.desk import at_the_desk, shown
from tests.support.views.test_approvals import policy_request

pytestmark = pytest.mark.django_db

ADDRESS = "/credits/policy/"


@pytest.fixture
def desk():
    return at_the_desk(Role.MANAGER)


def filled(client, query="edit=1"):
    """The form's fields as the page gives them."""
    form = client.get(f"{ADDRESS}?{query}").context["form"]
    return {name: str(form[name].value() or "") for name in form.fields} | {"reason": "Christmas"}


def send(client, changes=(), *, query="edit=1"):
    return client.post(ADDRESS, filled(client, query) | dict(changes))


def changes_of(asked):
    return differences(matrix_of(policy.current_policy()), matrix_from(asked.payload["limits"]))


# --- To be read


def test_the_limits_in_force_stand_in_a_table_for_each_unit(desk):
    client, _ = desk
    words = shown(client.get(ADDRESS))
    for label in LABELS.values():
        assert label in words
    for said in ("Version", "The limits that the product comes with.", "Nobody: it came with the product", "€30.00"):
        assert said in words, said
    response = client.get(ADDRESS)
    assert [table.unit for table in response.context["tables"]] == units()
    # What a role can never have is no figure of it.
    approves = response.context["tables"][0].rows[-1]
    assert dict(approves.cells)[Role.AGENT] is None
    assert dict(approves.cells)[Role.SENIOR_AGENT] == "US$150.00"


def test_a_version_says_who_made_it_why_and_what_it_changed(desk):
    client, _ = desk
    first = policy.current_policy()
    ada, bob = factories.user(Role.MANAGER, name="Ada"), factories.user(Role.ADMINISTRATOR, name="Bob")
    decisions.approve(policy_request(by=ada), by=bob, reason="As agreed.")
    made = policy.current_policy()
    words = shown(client.get(ADDRESS))
    for said in (f"Version {made.pk}", "Asked by Ada", "Approved by Bob", "As agreed.", "Christmas"):
        assert said in words, said
    assert [(one.role, one.field, one.was, one.becomes) for one in client.get(ADDRESS).context["changes"]] == [
        ("agent", "single", "£30.00", "£1.50")
    ]
    old = client.get(f"{ADDRESS}?version={first.pk}")
    assert "These limits are not in force: this is an old version." in shown(old)
    assert dict(old.context["tables"][2].rows[0].cells)[Role.AGENT] == "£30.00"


def test_versions_go_on(desk, monkeypatch):
    monkeypatch.setattr("support.views.credit_policy.PER_PAGE", 2)
    client, _ = desk
    for _ in range(4):
        factories.credit_policy()
    keys = list(CreditPolicy.objects.order_by("-pk").values_list("pk", flat=True))
    found, query = [], ""
    while query is not None:
        response = client.get(f"{ADDRESS}{query}")
        found.append([version.pk for version in response.context["versions"]])
        older = response.context["older"]
        query = f"?before={older}" if older else None
    assert [pk for page in found for pk in page] == keys
    assert [len(page) for page in found[:-1]] == [2] * (len(found) - 1)


@pytest.mark.parametrize("query", ["version=x", "version=0", f"version={10**17}", f"version={10**40}", "before=-1"])
def test_what_there_is_not_is_not_found(desk, query):
    client, _ = desk
    assert client.get(f"{ADDRESS}?{query}").status_code == 404


def test_reading_is_audited_and_takes_as_many_queries_for_many_versions_as_for_one(desk):
    client, manager = desk
    counts = []
    for _ in range(3):
        decisions.approve(policy_request_again(), by=factories.user(Role.MANAGER))
        client.get(ADDRESS)
        with CaptureQueriesContext(connection) as queries:
            client.get(ADDRESS)
        counts.append(len(queries))
    assert len(set(counts)) == 1, counts
    event = AuditEvent.objects.filter(action=AuditAction.REPORT_OPENED).first()
    assert (event.actor_id, event.target) == (manager.pk, "report:limits")


def policy_request_again():
    current = policy.current_policy()
    matrix = dict(matrix_of(current))
    matrix["GBP", "agent"] = {**matrix["GBP", "agent"], "approves": 0, "single": matrix["GBP", "agent"]["single"] - 1}
    by = factories.user(Role.MANAGER)
    return limits.request_policy(matrix, base=current.pk, why="A penny less", by=by)


def test_nobody_is_offered_what_he_may_not_open():
    for role, offers in ((Role.MANAGER, True), (Role.AUDITOR, False)):
        client, _ = at_the_desk(role)
        page = client.get(ADDRESS).content.decode()
        assert ("/credits/stop/" in page, "edit=1" in page) == (offers, offers)


# --- To be changed


def test_a_change_is_asked_for_and_nothing_changes_yet(desk):
    client, manager = desk
    before = policy.current_policy()
    response = send(client, {"EUR-agent-single": "25.5", "JPY-manager-day_count": "21"})
    asked = ApprovalRequest.objects.get()
    assert (response.status_code, response["Location"]) == (303, f"/approvals/{asked.pk}/")
    assert (asked.requested_by, asked.reason, asked.payload["base"]) == (manager, "Christmas", before.pk)
    assert [(one.unit, one.role, one.field, one.before, one.after) for one in changes_of(asked)] == [
        ("EUR", Role.AGENT, "single", 3000, 2550),
        ("JPY", Role.MANAGER, "day_count", 20, 21),
    ]
    assert policy.current_policy() == before
    assert "has asked for a change" in shown(client.get(ADDRESS))


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("EUR-agent-single", "0.001", "EUR has 2 decimals."),
        ("JPY-agent-single", "0.5", "JPY has 0 decimals."),
        ("EUR-agent-single", "NaN", "Write an amount in figures."),
        ("EUR-agent-single", "1e309", "Write an amount in figures."),
        ("EUR-agent-single", "-1", "Write zero or more."),
        ("EUR-agent-single", "ten", "Write an amount in figures."),
        ("EUR-agent-single", "", "This field is required."),
        ("EUR-agent-month_sum", "10000000001", "At most €10,000,000,000.00."),
        ("EUR-agent-day_count", "1.5", "Write a whole number, zero or more."),
        ("EUR-agent-month_count", "1000001", "At most 1,000,000."),
        ("days-agent-single", "-3", "Write a whole number, zero or more."),
        ("EUR-agent-day_sum", "29.99", "At least €30.00, which “One credit” allows."),
        ("EUR-agent-week_sum", "149.99", "At least €150.00, which “In 24 hours” allows."),
        ("EUR-agent-month_sum", "399.99", "At least €400.00, which “In 7 days” allows."),
        ("EUR-agent-week_count", "9", "At least 10, which “Credits in 24 hours” allows."),
        ("EUR-agent-month_count", "29", "At least 30, which “Credits in 7 days” allows."),
        ("EUR-agent-single", "1\0", "Null characters are not allowed."),
        ("reason", "", "This field is required."),
        ("reason", "x" * 501, "at most 500 characters"),
        ("base", "x", ""),
    ],
)
def test_what_is_no_limit_is_refused_at_its_field_and_nothing_is_lost(desk, field, text, says):
    client, _ = desk
    data = filled(client) | {"SEK-agent-single": "123.45", field: text}
    response = client.post(ADDRESS, data)
    assert response.status_code == 422
    assert says in shown(response)
    assert field in response.context["form"].errors
    assert 'value="123.45"' in response.content.decode()
    assert not ApprovalRequest.objects.exists()


def test_nothing_changed_and_a_change_that_waits_are_sentences(desk):
    client, _ = desk
    response = send(client)
    assert response.status_code == 409
    assert "Nothing is changed" in shown(response)
    send(client, {"EUR-agent-single": "25"})
    response = send(client, {"EUR-agent-single": "24"})
    assert response.status_code == 409
    assert "Somebody has asked for this already" in shown(response)
    assert 'value="24"' in response.content.decode()
    assert ApprovalRequest.objects.count() == 1


def test_limits_that_changed_meanwhile_are_shown_and_ones_own_figures_stay(desk):
    client, _ = desk
    typed = filled(client) | {"EUR-agent-single": "25"}
    decisions.approve(policy_request(), by=factories.user(Role.MANAGER))
    response = client.post(ADDRESS, typed)
    assert response.status_code == 409
    words = shown(response)
    assert "These limits were changed meanwhile" in words
    assert "What was changed meanwhile" in words
    assert [(one.field, one.was, one.becomes) for one in response.context["meanwhile"]] == [
        ("single", "£30.00", "£1.50")
    ]
    page = response.content.decode()
    assert 'value="25"' in page
    assert f'name="base" value="{policy.current_policy().pk}"' in page
    # Sent as the page gives it back, it is asked for.
    again = typed | {"base": str(policy.current_policy().pk)}
    assert client.post(ADDRESS, again).status_code == 303


def test_an_old_version_fills_the_form_in_to_go_back_to_it(desk):
    client, _ = desk
    first = policy.current_policy()
    decisions.approve(policy_request(), by=factories.user(Role.MANAGER))
    response = send(client, query=f"edit=1&version={first.pk}")
    assert response.status_code == 303
    asked = ApprovalRequest.objects.get(status="pending")
    assert matrix_from(asked.payload["limits"]) == matrix_of(first)
    assert asked.payload["base"] == policy.current_policy().pk


def test_units_that_the_installation_has_no_more_keep_their_limits(desk, settings):
    client, _ = desk
    settings.CURRENCIES = ["EUR", "GBP"]
    send(client, {"EUR-agent-single": "25"})
    asked = ApprovalRequest.objects.get()
    assert [(one.unit, one.field) for one in changes_of(asked)] == [("EUR", "single")]
    assert "USD" in {row["unit"] for row in asked.payload["limits"]}


def test_a_new_currency_begins_with_nothing(desk, settings):
    client, _ = desk
    settings.CURRENCIES = [*settings.CURRENCIES, "CHF"]
    assert dict(client.get(ADDRESS).context["tables"][-2].rows[0].cells)[Role.MANAGER] == "None"
    send(
        client,
        {"CHF-agent-single": "20", "CHF-agent-day_sum": "20", "CHF-agent-week_sum": "20", "CHF-agent-month_sum": "20"},
    )
    assert {(one.unit, one.field) for one in changes_of(ApprovalRequest.objects.get())} == {
        ("CHF", name) for name in ("single", "day_sum", "week_sum", "month_sum")
    }


def test_the_form_has_a_field_for_every_limit_that_a_role_can_have(desk):
    client, _ = desk
    form = client.get(f"{ADDRESS}?edit=1").context["form"]
    figures = [name for name in form.fields if "-" in name]
    assert len(figures) == len(units()) * (len(ROLES) * len(FIELDS) - 1)
    assert "EUR-agent-approves" not in figures


# --- The switch


def test_the_switch_stops_all_credits_and_every_page_about_them_says_so(desk):
    senior, person = at_the_desk(Role.SENIOR_AGENT)
    response = senior.post("/credits/stop/", {"do": "stop", "reason": "Somebody’s password is out."}, follow=True)
    assert "All credits are stopped." in shown(response)
    assert CreditStop.objects.get().by == person
    client, _ = desk
    for address in ("/approvals/", ADDRESS, "/credits/stop/"):
        words = shown(client.get(address))
        assert "All credits are stopped since" in words, address
        assert "Somebody’s password is out." in words
    assert "A manager can allow them again." in shown(senior.get("/credits/stop/"))
    assert senior.post("/credits/stop/", {"do": "resume", "reason": "Found"}).status_code == 404
    assert CreditStop.objects.count() == 1
    response = client.post("/credits/stop/", {"do": "resume", "reason": "Changed it."}, follow=True)
    assert "Credits are allowed again." in shown(response)
    assert "All credits are stopped since" not in shown(client.get("/approvals/"))


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        ({"do": "stop", "reason": ""}, 422, "This field is required."),
        ({"do": "stop", "reason": " "}, 422, "This field is required."),
        ({"do": "stop", "reason": "x" * 501}, 422, "at most 500 characters"),
        ({"do": "stop", "reason": "a\0"}, 422, "Null characters"),
        ({"do": "resume", "reason": "Why not"}, 409, "No credit is stopped."),
    ],
)
def test_what_cannot_be_switched_is_a_sentence(desk, data, status, says):
    client, _ = desk
    response = client.post("/credits/stop/", data)
    assert response.status_code == status
    assert says in shown(response)
    assert not CreditStop.objects.exists()


def test_who_pressed_it_first_stands_in_the_seconds_answer(desk):
    client, _ = desk
    limits.stop(reason="Fraud", by=factories.user(Role.SENIOR_AGENT, name="Sven"))
    response = client.post("/credits/stop/", {"do": "stop", "reason": "Fraud again"})
    assert response.status_code == 409
    assert "All credits were stopped before, by Sven: Fraud" in shown(response)
    assert 'value="Fraud again"' in response.content.decode()


def test_a_reason_of_the_switch_holds_no_code(desk):
    client, _ = desk
    card = factories.card()
    response = client.post("/credits/stop/", {"do": "stop", "reason": f"{card.text} is out"})
    assert response.status_code == 422
    assert "There is a code in it" in shown(response)
    assert not CreditStop.objects.exists()
