"""The catalogue that is seeded: complete, within its columns, and fit to be sent."""

import pytest

from redemption.refusals import Answer, RefusalReason
from support import catalogue
from support.catalogue import CATALOGUE
from support.models import Cause, KnownError
from support.reply_variables import unknown
from tests import factories

CAUSES = list({cause.title: cause for entry in CATALOGUE for cause in entry.causes}.values())


@pytest.mark.parametrize("answer", Answer)
def test_every_answer_is_a_known_error_with_causes(answer):
    (entry,) = [entry for entry in CATALOGUE if entry.answer == answer]
    assert entry.causes


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_refusal_proves_a_cause_of_the_answer_that_the_customer_was_given(reason):
    (entry,) = [entry for entry in CATALOGUE if entry.answer == reason.answer]
    assert [cause.title for cause in entry.causes if reason in cause.reasons]


@pytest.mark.parametrize(
    ("wording", "cause"),
    [
        ("This code has already been redeemed", "The packaging had been opened: the code was stolen in the shop"),
        ("Something went wrong. Please try again later.", "The browser keeps an old session"),
        ("Something went wrong. Please try again later.", "Redeeming is out of order at this moment"),
        ("This offer is not available for your account", "Signed in with another account than he thinks"),
        ("This is a link for sharing, not a code", "It is a link for sharing, not a code"),
        ("You already have a Premium subscription", "Another company bills the subscription"),
        ("Invalid code", "Part of the code is still covered, or was scratched away"),
        ("This card has not been activated yet", "The till never activated the card"),
        ("Region mismatch", "The card is for another country than the account"),
    ],
)
def test_what_lies_behind_a_message(wording, cause):
    (entry,) = [entry for entry in CATALOGUE if entry.wording == wording]
    assert cause in [one.title for one in entry.causes]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.title)
def test_every_cause_has_a_question_a_remedy_and_a_reply_with_known_variables(cause):
    assert cause.question.endswith("?") or cause.question.endswith(".")
    assert cause.remedy.endswith(".")
    assert cause.reply.startswith("Hello {requester},")
    assert unknown(cause.reply) == []


def test_every_wording_is_written_once():
    for entry in CATALOGUE:
        wordings = [text.casefold() for text in (entry.wording, *entry.others)]
        assert len(wordings) == len(set(wordings))
    assert len({entry.wording for entry in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.django_db
def test_a_new_installation_has_it_all_within_its_columns():
    catalogue.load()
    assert KnownError.objects.count() == len(CATALOGUE)
    for row in [*KnownError.objects.all(), *Cause.objects.all()]:
        row.full_clean()
    not_valid = KnownError.objects.get(answer=Answer.NOT_VALID)
    assert [cause.rank for cause in not_valid.causes.all()] == list(range(1, len(not_valid.causes.all()) + 1))
    assert not_valid.causes.first().reasons == [RefusalReason.COUNTRY_DIFFERS]


@pytest.mark.django_db
def test_loading_it_again_changes_nothing_that_managers_wrote():
    catalogue.load()
    KnownError.objects.filter(wording="Region mismatch").update(is_active=False)
    assert catalogue.load() == 0
    assert not KnownError.objects.get(wording="Region mismatch").is_active


@pytest.mark.django_db
def test_a_service_s_wordings_become_its_program_s_own():
    catalogue.load()
    films = factories.pin_program()
    assert catalogue.give_to(films) == len([entry for entry in CATALOGUE if entry.service == "netflix"])
    assert KnownError.objects.get(wording="Invalid code").program == films
    assert catalogue.give_to(factories.program()) == 0
    assert catalogue.load() == 0
