"""Moving digests to a newer key, while everything else goes on."""

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from redemption import locks
from redemption.code_rows import older_digesters
from redemption.digests import digester
from redemption.models import Channel, Code
from redemption.redeem import redeem
from redemption.rotation import rotate, total
from tests import factories

KEYS = {version: bytes([version]) * 32 for version in (1, 2, 3)}


@pytest.fixture(autouse=True)
def first_key(settings):
    settings.CODE_KEYS = {1: KEYS[1]}


def add_keys(settings, newest):
    settings.CODE_KEYS = {version: KEYS[version] for version in range(1, newest + 1)}


def versions():
    return set(Code.objects.values_list("key_version", flat=True))


def all_found(cards, version):
    for card in cards:
        digests = digester(card.batch.product.program.digest_name)
        assert card.row.key_version == version
        assert card.row.digest == dict(digests.every(card.code))[version]


@pytest.mark.django_db
@pytest.mark.parametrize("newest", [2, 3])
def test_every_code_gets_the_digest_that_a_new_one_would_have(settings, newest):
    cards = factories.cards(5)
    program = cards[0].batch.product.program
    add_keys(settings, newest)
    assert rotate(program=program) == 5 * (newest - 1)
    all_found(cards, newest)


@pytest.mark.django_db
def test_without_a_newer_key_nothing_happens():
    cards = factories.cards(3)
    assert rotate(program=cards[0].batch.product.program) == 0
    all_found(cards, 1)


@pytest.mark.django_db
def test_a_second_time_there_is_nothing_left_to_do(settings):
    cards = factories.cards(3)
    add_keys(settings, 2)
    program = cards[0].batch.product.program
    assert total(program) == 100
    assert rotate(program=program) == 3
    assert total(program) == 0
    assert rotate(program=program) == 0
    all_found(cards, 2)


@pytest.mark.django_db
def test_new_codes_are_compared_with_older_digests_while_there_are_some(settings):
    cards, other = factories.cards(3), factories.cards(1)
    program = cards[0].batch.product.program
    assert older_digesters(program) == []
    add_keys(settings, 3)
    assert [digests.version for digests in older_digesters(program)] == [1, 2]
    rotate(program=program)
    assert older_digesters(program) == []
    assert len(older_digesters(other[0].batch.product.program)) == 2


@pytest.mark.django_db
def test_what_was_stopped_goes_on(settings):
    cards = factories.cards(10)
    program = cards[0].batch.product.program
    add_keys(settings, 3)

    def stop(gone_through):
        if gone_through == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate(program=program, progress=stop, step=2)
    assert versions() == {1, 3}
    assert rotate(program=program, step=3) == 12
    all_found(cards, 3)


@pytest.mark.django_db
def test_codes_of_every_version_move_on_together(settings):
    first = factories.cards(2)
    add_keys(settings, 2)
    second = factories.cards(2, of=first[0].batch)
    add_keys(settings, 3)
    assert rotate(program=first[0].batch.product.program) == 2 * 2 + 2
    all_found(first + second, 3)


@pytest.mark.django_db
def test_another_programs_codes_stay(settings):
    ours, others = factories.cards(2), factories.cards(2)
    add_keys(settings, 2)
    rotate(program=ours[0].batch.product.program)
    all_found(ours, 2)
    all_found(others, 1)


@pytest.mark.django_db
def test_a_spent_card_is_moved_on_too(settings):
    card = factories.card()
    account = factories.account(card.batch.product.program)
    assert redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed
    status = card.row.status
    add_keys(settings, 2)
    rotate(program=card.batch.product.program)
    all_found([card], 2)
    assert card.row.status == status


@pytest.mark.django_db
def test_progress_is_told_in_serial_numbers(settings):
    batch = factories.batch(size=10)
    factories.cards(10, of=batch)
    add_keys(settings, 2)
    told = []
    assert total(batch.product.program) == 10
    rotate(program=batch.product.program, progress=told.append, step=4)
    assert told == [4, 8, 10]


@pytest.mark.django_db
def test_the_command_rotates_one_program_or_all(settings):
    ours, others = factories.cards(2), factories.cards(3)
    add_keys(settings, 2)
    out = StringIO()
    program = ours[0].batch.product.program
    call_command("rotate_code_keys", program=program.slug, stdout=out)
    assert f"{program}: 2 digests wrapped in a newer key." in out.getvalue()
    all_found(others, 1)
    call_command("rotate_code_keys", stdout=out)
    all_found(ours + others, 2)
    with pytest.raises(CommandError, match="There is no program nothing"):
        call_command("rotate_code_keys", program="nothing")


# --- With others at work


def in_threads(*works):
    errors = []

    def run(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []


@pytest.mark.django_db(transaction=True)
def test_two_rotations_at_once_wrap_each_digest_once(settings):
    cards = factories.cards(60)
    program = cards[0].batch.product.program
    add_keys(settings, 3)
    wrapped = []
    in_threads(*[lambda: wrapped.append(rotate(program=program, step=7))] * 2)
    assert sum(wrapped) == 60 * 2
    all_found(cards, 3)


@pytest.mark.django_db(transaction=True)
def test_cards_are_redeemed_while_their_digests_move(settings):
    cards = factories.cards(60)
    program = cards[0].batch.product.program
    accounts = [factories.account(program) for _ in cards]
    results = []
    add_keys(settings, 3)

    def redeem_half(half):
        for card, account in list(zip(cards, accounts, strict=True))[half::2]:
            results.append(redeem(account=account, text=card.text, channel=Channel.WEB).is_redeemed)

    in_threads(lambda: redeem_half(0), lambda: rotate(program=program, step=3), lambda: redeem_half(1))
    assert results == [True] * 60
    all_found(cards, 3)


@pytest.mark.django_db(transaction=True)
def test_a_rotation_waits_for_an_import(settings):
    cards = factories.cards(2)
    program = cards[0].batch.product.program
    add_keys(settings, 2)
    rotating = threading.Event()

    def rotate_meanwhile():
        rotating.set()
        rotate(program=program)

    thread = threading.Thread(target=in_threads, args=(rotate_meanwhile,))
    with transaction.atomic():
        locks.take(locks.PROGRAM_CODES, program.pk)
        thread.start()
        rotating.wait(10)
        thread.join(0.3)
        assert thread.is_alive()
        assert versions() == {1}
    thread.join(10)
    assert versions() == {2}


@pytest.mark.django_db(transaction=True)
def test_a_rotation_lets_go_on_who_refers_to_a_card_and_then_changes_it(settings):
    card = factories.card()
    add_keys(settings, 2)
    thread = threading.Thread(target=in_threads, args=(lambda: rotate(program=card.batch.product.program),))
    with transaction.atomic(), connection.cursor() as cursor:
        # What the foreign key of an attempt does.
        cursor.execute("SELECT FROM redemption_code WHERE serial = %s FOR KEY SHARE", [card.serial])
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        cursor.execute("UPDATE redemption_code SET status = 3 WHERE serial = %s", [card.serial])
    thread.join(10)
    all_found([card], 2)
