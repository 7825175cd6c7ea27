"""For all tests."""

from collections.abc import Iterator

import hypothesis
import pytest
from django.conf import settings

from redemption import breaker, status_board
from tests import owner

# A busy machine is slow, and says nothing about the code: figures are tests/bench's business.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


# --- Who the tests are in the database


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> dict[str, str]:
    """The tests' database is made and migrated by its owner. Returns who the first test is."""
    return owner.be(settings.DATABASE_OWNER)


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_modify_db_settings: dict[str, str], django_db_setup: None, django_db_blocker: pytest.FixtureRequest
) -> Iterator[None]:
    with django_db_blocker.unblock():
        owner.make_application_login()
        owner.spare_the_disk()
    owner.be(django_db_modify_db_settings)
    yield
    owner.be(settings.DATABASE_OWNER)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("as_owner"):
        owner.be(settings.DATABASE_OWNER)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    if item.get_closest_marker("as_owner"):
        owner.be(settings.DATABASE_APPLICATION)


@pytest.fixture(autouse=True)
def _the_breaker_is_closed() -> None:
    """A process has one, and what a test let fail is none of the next one's business; nor what it read of outages."""
    breaker.redeeming.reset()
    status_board.forget()
