"""A retailer, and a clerk of one whose batch may be reported: signed in with the test's own client."""

import pytest

from tests import factories


@pytest.fixture
def saturn():
    return factories.retailer(name="Saturn", slug="saturn")


@pytest.fixture
def batch():
    return factories.batch(size=1000)


@pytest.fixture
def clerk(batch, client):
    made = factories.member(batch.retailer, name="Clara Clerk")
    client.force_login(made)
    return made
