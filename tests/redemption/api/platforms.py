"""A platform, for tests of its interface: it sends as a key of its program."""

import itertools
import json

from django.test import Client
from django.utils import timezone

from redemption.api.keys import make_token
from redemption.models import PLATFORM_SCOPES, ApiKey, Invoice, InvoiceStatus
from redemption.roles import Role
from tests import factories

ADDRESS = "/api/v1"
_names = itertools.count(1)


def key(of=None, scopes=PLATFORM_SCOPES, **fields):
    """(the row, the token as text)."""
    token = make_token()
    made = ApiKey.objects.create(
        **{
            "program": of or factories.program(),
            "name": "app servers",
            "prefix": token.prefix,
            "digest": token.digest,
            "scopes": list(scopes),
            "created_by": factories.user(Role.ADMINISTRATOR),
            "created_at": timezone.now(),
            **fields,
        }
    )
    return made, token.text


def due(account, **fields):
    """A month that the payment method on file is asked for."""
    return Invoice.objects.create(
        **{
            "account": account,
            "starts_on": "2026-06-01",
            "ends_on": "2026-07-01",
            "plan": "individual",
            "currency": account.currency,
            "price": 1099,
            "from_credit": 0,
            "due": 1099,
            "status": InvoiceStatus.DUE,
            "at": timezone.now(),
            **fields,
        }
    )


class Platform:
    """Each post has an idempotency key of its own, unless one is given."""

    def __init__(self, of=None, scopes=PLATFORM_SCOPES, token=None):
        self.key, self.token = (None, token) if token is not None else key(of, scopes)
        self.client = Client()

    def post(self, path, content=None, *, name=None, body=None, **headers):
        body = json.dumps(content).encode() if body is None else body
        sent = {
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "HTTP_IDEMPOTENCY_KEY": name or f"wish-{next(_names)}",
            **headers,
        }
        return self.client.post(
            ADDRESS + path,
            body,
            content_type=sent.pop("content_type", "application/json"),
            **{header: value for header, value in sent.items() if value is not None},
        )

    def get(self, path, **data):
        return self.client.get(ADDRESS + path, data, headers={"authorization": f"Bearer {self.token}"})

    def try_(self, path, account, card, **fields):
        """Validate or redeem; `card` may be a text."""
        name, text = fields.pop("name", None), getattr(card, "text", card)
        return self.post(path, {"account": account.reference, "code": text, **fields}, name=name)


def told(response):
    """(status, code) of an error, which has the one shape."""
    content = response.json()
    assert set(content) == {"code", "message", "reference"}, content
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    return response.status_code, content["code"]
