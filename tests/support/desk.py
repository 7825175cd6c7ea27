"""People at the desk, for tests of its pages."""

import re
import time
from html import unescape

from django.test import Client

from redemption.roles import Role
from tests import factories


def at_the_desk(role=Role.AGENT, *, user=None):
    """A browser whose session passed a second factor: (client, user)."""
    user = user or factories.user(role)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.session
    session["account_authentication_methods"] = [{"method": "mfa", "type": "totp", "at": time.time()}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client, user


def wrong(card, place=-1):
    """The card's code as printed, with one symbol of the body replaced by another."""
    body = list(card.code)
    body[place] = "2" if body[place] != "2" else "3"
    return card.batch.code_format.pattern.display("".join(body))


def shown(response):
    """The page's words, as a person reads them."""

    return " ".join(
        unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", response.content.decode(), flags=re.S)).split()
    )
