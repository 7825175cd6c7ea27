"""Who a customer is: masked for the roles that may not see it, everywhere alike."""

import pytest
from django.template import Context, Template

from redemption.roles import PERMISSIONS, Permission, Role
from support.actions.messages import add_customer_message, write_staff_message
from support.models import MessageKind
from support.personal import author_of, masked_email, masked_name, requester_of
from support.thread import thread
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


@pytest.mark.parametrize("role", [role for role in Role if Permission.VIEW_TICKETS in PERMISSIONS[role]])
def test_who_wrote_is_masked_alike_and_staff_never(role):
    reader, colleague = factories.user(role), factories.user(Role.AGENT, name="Asha Agent")
    whole = Permission.SEE_PERSONAL_DATA in PERMISSIONS[role]
    ticket = factories.ticket(requester_name="Ada Lovelace")
    first = ticket.messages.get()
    signed_in = add_customer_message(ticket=ticket, body="Any news?", author=factories.user(name="Ada King"))
    answer = write_staff_message(ticket=ticket, kind=MessageKind.REPLY, body="Soon.", by=colleague)
    names = [author_of(message, shown_to=reader) for message in (first, signed_in, answer)]
    assert names == [*(["Ada Lovelace", "Ada King"] if whole else ["A••• L•••", "A••• K•••"]), "Asha Agent"]
    assert [entry.by for entry in thread(ticket, shown_to=reader).entries if entry.message] == names
