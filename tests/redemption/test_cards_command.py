"""`manage.py cards`: the verbs for ranges, for whoever may."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from redemption.models import CardEvent, Code, CodeStatus
from redemption.roles import PERMISSIONS, Permission, Role
from tests import factories

pytestmark = pytest.mark.django_db

# Verb, the permission it takes, the status it is for, and what a sold or unsold card becomes.
VERBS = [
    ("activate", Permission.MANAGE_BATCHES, CodeStatus.INACTIVE, CodeStatus.ACTIVE),
    ("freeze", Permission.FREEZE, CodeStatus.ACTIVE, CodeStatus.FROZEN),
    ("thaw", Permission.FREEZE, CodeStatus.FROZEN, CodeStatus.ACTIVE),
]


def run(verb, *serials, by, **options):
    out = StringIO()
    if verb != "activate":
        options.setdefault("reason", "stolen box")
    call_command("cards", verb, *map(str, serials), by=by.email, stdout=out, **options)
    return out.getvalue().strip()


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("verb", "permission", "before", "after"), VERBS)
def test_each_role_does_what_it_may(verb, permission, before, after, role):
    card = factories.card(status=before)
    by = factories.user(role)
    # The system's own jobs report what tills sold.
    if permission in PERMISSIONS[role] or (role, verb) == (Role.SYSTEM, "activate"):
        assert run(verb, card.serial, by=by) == "1 card changed."
        assert CardEvent.objects.get().by == by
        assert card.row.status == after
    else:
        with pytest.raises(CommandError, match="Your role may not do this"):
            run(verb, card.serial, by=by)
        assert card.row.status == before


def test_a_range_is_taken_where_it_can_and_the_rest_counted():
    batch = factories.batch()
    cards = factories.cards(3, batch)
    factories.card(batch, status=CodeStatus.VOID)
    agent = factories.user(Role.AGENT)
    span = (cards[0].serial, cards[-1].serial + 1)
    assert run("freeze", *span, by=agent) == "3 cards changed; left alone: 1 void."
    assert CardEvent.objects.get().reason == "stolen box"
    assert run("freeze", *span, by=agent) == "0 cards changed; left alone: 3 frozen, 1 void."
    assert CardEvent.objects.count() == 1
    assert sorted(Code.objects.values_list("status", flat=True)) == [3, 3, 3, 4]


@pytest.mark.parametrize(
    ("verb", "serials", "options", "sentence"),
    [
        ("freeze", (1000000000,), {"reason": " "}, "Give a --reason"),
        ("freeze", (1000000000,), {"reason": "x" * 201}, "Give a --reason"),
        ("thaw", (1000000000,), {"reason": "\ud800"}, "Give a --reason"),
        ("activate", (1000000000,), {"reason": "sold"}, "takes no reason"),
        ("freeze", (1,), {}, "ten digits"),
        ("freeze", (1000000000, 10**30), {}, "ten digits"),
        ("freeze", (9999999999,), {}, "No card has this serial number"),
        ("freeze", (9999999999, 9999999998), {}, "ends before it begins"),
        ("freeze", (1000000000, 9999999999), {}, "At most"),
    ],
)
def test_what_cannot_be_done_gets_a_sentence(verb, serials, options, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(verb, *serials, by=factories.user(Role.MANAGER), **options)


def test_a_reason_holds_no_code():
    card = factories.card()
    with pytest.raises(CommandError, match="There is a code in the reason") as refused:
        run("freeze", card.serial, by=factories.user(Role.AGENT), reason=f"stolen: {card.text}")
    assert card.text not in str(refused.value)
    assert card.row.status == CodeStatus.ACTIVE


def test_somebody_unknown_does_nothing():
    with pytest.raises(CommandError, match="There is no user"):
        call_command("cards", "freeze", "1000000000", by="nobody@example.com", reason="stolen")
