"""Who a customer is: masked for the roles that may not see it, everywhere alike."""

import pytest
from django.template import Context, Template

from redemption.roles import PERMISSIONS, Permission, Role
from support.personal import masked_email, masked_name, requester_of
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("email", "masked"),
    [
        ("ada@example.com", "a•••@e•••.com"),
        ("a@b.se", "a•••@b•••.se"),
        ("Ada.Lovelace@mail.example.co.uk", "A•••@m•••.uk"),
        ('"odd@person"@example.com', '"•••@e•••.com'),
        ("root@localhost", "r•••@•••"),
        ("no address at all", "•••"),
        ("@example.com", "•••"),
        ("ada@", "a•••@•••"),
        ("", ""),
    ],
)
def test_an_address_keeps_its_first_letters_and_its_ending(email, masked):
    assert masked_email(email) == masked


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("Ada Lovelace", "A••• L•••"),
        ("  Bo ", "B•••"),
        ("Ludwig van Beethoven", "L••• v••• B•••"),
        ("王", "王•••"),
        ("", ""),
    ],
)
def test_a_name_keeps_its_first_letters(name, masked):
    assert masked_name(name) == masked


def test_the_length_of_what_is_masked_does_not_show():
    assert masked_email("al@ex.com") == masked_email("alexandra@example.com")
    assert masked_name("Al") == masked_name("Alexandra")


@pytest.mark.parametrize("role", [role for role in Role if Permission.VIEW_TICKETS in PERMISSIONS[role]])
def test_who_asks_is_shown_in_full_only_to_those_who_may_see_it(role):
    ticket = factories.ticket(requester_name="Ada Lovelace", requester_email="ada@example.com")
    reader = factories.user(role)
    whole = Permission.SEE_PERSONAL_DATA in PERMISSIONS[role]
    seen = requester_of(ticket, shown_to=reader)
    assert (seen.name, seen.email) == (("Ada Lovelace", "ada@example.com") if whole else ("A••• L•••", "a•••@e•••.com"))
    page = Template("{% load personal %}{% with who=ticket|requester:user %}{{ who }} {{ who.email }}{% endwith %}")
    assert page.render(Context({"ticket": ticket, "user": reader})) == f"{seen.name} {seen.email}"


def test_who_did_not_say_his_name_goes_by_his_address_or_is_unknown():
    agent = factories.user(Role.AGENT)
    nameless = factories.ticket(requester_name="", requester_email="ada@example.com")
    assert str(requester_of(nameless, shown_to=agent)) == "ada@example.com"
    assert str(requester_of(factories.ticket(requester_name="", requester_email=""), shown_to=agent)) == "Unknown"
