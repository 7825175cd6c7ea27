"""Browsers of customers, for tests of their pages."""

from allauth.account.models import EmailAddress
from django.test import Client

from tests import factories


def customer(*, confirmed=True, name="Ada Customer", **fields):
    """(browser, user), signed in; whether the address is proved to be hers."""
    user = factories.user(name=name, **fields)
    if confirmed:
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client, user
