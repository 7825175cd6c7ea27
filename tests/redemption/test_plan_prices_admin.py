"""What plans cost, on a program's page of the admin."""

import pytest

from redemption.models import Plan, PlanPrice, Program
from redemption.roles import Role
from support.models import AuditAction, AuditEvent
from tests import factories
from tests.redemption.test_admin import program_form
from tests.support.desk import at_the_desk

pytestmark = pytest.mark.django_db


def save(client, program, *rows, first=0, **fields):
    code_format = program.current_format()
    form = program_form(
        **{
            "name": program.name,
            "slug": program.slug,
            "formats-INITIAL_FORMS": 1,
            "formats-0-id": code_format.pk,
            "formats-0-program": program.pk,
            "plan_prices-TOTAL_FORMS": len(rows),
            "plan_prices-INITIAL_FORMS": first,
            **{
                f"plan_prices-{number}-{name}": value
                for number, row in enumerate(rows)
                for name, value in {"program": program.pk, **row}.items()
            },
            **fields,
        }
    )
    return client.post(f"/admin/redemption/program/{program.pk}/change/", form)


def prices():
    return sorted(PlanPrice.objects.values_list("plan", "currency", "price"))


def told():
    events = AuditEvent.objects.filter(action=AuditAction.CATALOGUE_CHANGED, target__startswith="planprice:")
    return [event.details["changes"] for event in events.order_by("pk")]


def test_a_price_is_written_in_its_currency_and_kept_in_minor_units():
    client, _ = at_the_desk(Role.MANAGER)
    program = factories.program()
    rows = [
        {"plan": "individual", "currency": "GBP", "price": "10.99"},
        {"plan": "family", "currency": "JPY", "price": "1480"},
    ]
    assert save(client, program, *rows).status_code == 302
    assert prices() == [("family", "JPY", 1480), ("individual", "GBP", 1099)]
    assert told() == [{"price": [None, 1099]}, {"price": [None, 1480]}]


def test_a_price_changes_and_its_plan_and_currency_stay():
    client, _ = at_the_desk(Role.MANAGER)
    program = factories.program()
    price = PlanPrice.objects.create(program=program, plan=Plan.DUO, currency="GBP", price=1499)
    page = client.get(f"/admin/redemption/program/{program.pk}/change/").content.decode()
    assert 'value="14.99"' in page
    row = {"id": price.pk, "plan": "family", "currency": "EUR", "price": "15.99"}
    assert save(client, program, row, first=1).status_code == 302
    assert prices() == [("duo", "GBP", 1599)]
    assert told() == [{"price": [1499, 1599]}]


@pytest.mark.parametrize("price", ["", "0", "-1", "abc", "1.234", "1e99", "nul\0", "Infinity"])
def test_what_is_no_price_is_said_beside_its_field(price):
    client, _ = at_the_desk(Role.MANAGER)
    program = factories.program()
    assert save(client, program, {"plan": "duo", "currency": "GBP", "price": price}).status_code == 200
    assert not PlanPrice.objects.exists()


def test_a_plan_has_one_price_in_a_currency():
    client, _ = at_the_desk(Role.MANAGER)
    program = factories.program()
    PlanPrice.objects.create(program=program, plan=Plan.DUO, currency="GBP", price=1499)
    answer = save(
        client,
        program,
        {"id": PlanPrice.objects.get().pk, "plan": "duo", "currency": "GBP", "price": "14.99"},
        {"plan": "duo", "currency": "GBP", "price": "12"},
        first=1,
    )
    assert answer.status_code == 200
    assert prices() == [("duo", "GBP", 1499)]


def test_agents_read_prices_and_change_none():
    client, _ = at_the_desk(Role.AGENT)
    program = factories.program()
    PlanPrice.objects.create(program=program, plan=Plan.DUO, currency="GBP", price=1499)
    answer = save(client, program, {"plan": "family", "currency": "GBP", "price": "1"})
    assert answer.status_code in {403, 404}
    assert prices() == [("duo", "GBP", 1499)]
    assert Program.objects.get() == program
