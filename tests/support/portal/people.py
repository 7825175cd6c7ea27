"""Browsers of retailers' members, for tests of their pages."""

from django.test import Client

from redemption.models import MemberRole
from tests import factories


def signed_in(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def clerk(of=None, **fields):
    """(browser, user)."""
    user = factories.member(of, **fields)
    return signed_in(user), user


def manager(of=None, **fields):
    return clerk(of, role=MemberRole.MANAGER, **fields)
