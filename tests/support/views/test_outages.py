"""The desk's page of outages, and its switch."""

import pytest
from django.urls import reverse

from redemption import outages
from redemption.models import Outage, Program
from redemption.references import Untried, sign
from redemption.roles import Role
from support.actions.outages import switch_off
from support.incidents import gather
from support.models import Ticket
from tests import factories
from tests.factories import NOON
from tests.support.desk import at_the_desk, shown

pytestmark = pytest.mark.django_db


def test_a_manager_switches_a_program_off_and_on_again_in_two_steps_each():
    program = factories.program("Spotify")
    client, manager = at_the_desk(Role.MANAGER)
    assert f"{program} Works" in shown(client.get("/outages/")).replace("check_circle ", "").replace("check_circle", "")
    path = f"/outages/{program.slug}/off/"
    assert f"Nobody redeems a code of {program}" in shown(client.get(path))
    assert not Program.objects.get().is_paused
    done = client.post(path, {"message": "Back at six."}, follow=True)
    assert done.redirect_chain == [("/outages/", 303)]
    outage = Outage.objects.get()
    assert (outage.program, outage.message, outage.started_by) == (program, "Back at six.", manager)
    words = shown(done)
    assert f"Redeeming is switched off at {program}." in words
    assert f"Switched off by {manager}" in words
    assert "Back at six." in words
    assert Ticket.objects.get(outage=outage).reference in words
    path = f"/outages/{program.slug}/on/"
    assert "can be redeemed again" in shown(client.get(path))
    done = client.post(path, follow=True)
    assert f"Redeeming works again at {program}." in shown(done)
    assert not Program.objects.get().is_paused
    assert f"ended by {manager}" in shown(client.get("/outages/"))


def test_who_presses_it_second_hears_that_it_is_pressed():
    program = factories.program()
    client, manager = at_the_desk(Role.MANAGER)
    switch_off(program=program, message="", by=manager)
    page = client.post(f"/outages/{program.slug}/off/", {"message": "Me too."})
    assert (page.status_code, f"switched off at {program} already" in shown(page)) == (409, True)
    assert "Me too." in page.content.decode()


def test_no_code_stands_on_the_status_page():
    card = factories.card()
    program = card.batch.product.program
    client, _ = at_the_desk(Role.MANAGER)
    page = client.post(f"/outages/{program.slug}/off/", {"message": f"Even {card.text} fails."})
    assert (page.status_code, "There is a code in it" in shown(page)) == (422, True)
    page = client.post(f"/outages/{program.slug}/off/", {"message": "x" * 301})
    assert page.status_code == 422
    assert not Outage.objects.exists()


def test_what_the_breaker_found_can_be_ended_or_taken_over():
    program = factories.program()
    client, _ = at_the_desk(Role.ADMINISTRATOR)
    outages.note(program.pk, first=NOON, last=NOON, now=NOON)
    page = client.get("/outages/").content.decode()
    assert [reverse("switch_redeeming", args=[program.slug, way]) in page for way in ("on", "off")] == [True, True]
    assert "The breaker tripped" in page
    client.post(f"/outages/{program.slug}/on/")
    assert Outage.objects.get().ended_at


def test_nobody_finds_a_program_or_a_way_that_is_none():
    client, _ = at_the_desk(Role.MANAGER)
    factories.program(slug="there")
    paths = ["/outages/nowhere/off/", "/outages/there/aside/", "/outages/there/", "/outages/-/on/"]
    assert [client.get(path).status_code for path in paths] == [404, 404, 404, 404]


@pytest.mark.parametrize("many", [1, 3])
def test_the_page_asks_as_many_questions_for_three_programs_as_for_one(many, django_assert_num_queries):
    client, manager = at_the_desk(Role.MANAGER)
    for number in range(many):
        program = factories.program()
        switch_off(program=program, message="", by=manager, now=NOON)
        account = factories.account(program)
        reference = sign(Untried.UNAVAILABLE, account.pk, NOON)
        for _ in range(number + 1):
            assert gather(factories.ticket(program, account=account, answer_reference=reference), now=NOON)
        outages.end(program=program, by=manager)
        switch_off(program=program, message="", by=manager)
    client.get("/outages/")
    with django_assert_num_queries(QUERIES):
        page = client.get("/outages/")
    words = shown(page)
    assert [f"{number} still to be answered" in words for number in range(1, many + 1)] == [True] * many


QUERIES = 11


def test_the_admin_shows_the_switch_and_has_none():
    program = factories.program()
    client, _ = at_the_desk(Role.MANAGER)
    page = client.get(f"/admin/redemption/program/{program.pk}/change/").content.decode()
    assert reverse("outages") in page
    assert 'name="is_paused"' not in page
