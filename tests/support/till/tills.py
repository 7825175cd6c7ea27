"""A retailer's system, for tests of the till's interface."""

import itertools
import json

from django.test import Client
from django.utils import timezone

from redemption.api.keys import make_token
from redemption.models import TILL_SCOPES, ApiKey
from redemption.roles import Role
from tests import factories

ADDRESS = "/api/till/v1"
_names = itertools.count(1)


def key(of=None, scopes=TILL_SCOPES, **fields):
    """(the row, the token as text)."""
    token = make_token()
    of = of or factories.retailer()
    made = ApiKey.objects.create(
        **{
            "retailer": of,
            "name": "tills",
            "prefix": token.prefix,
            "digest": token.digest,
            "scopes": list(scopes),
            "created_by": factories.user(Role.RETAILER),
            "created_at": timezone.now(),
            **fields,
        }
    )
    return made, token.text


class Till:
    """Sends as this key. Each post has an idempotency key of its own, unless one is given."""

    def __init__(self, of=None, scopes=TILL_SCOPES, token=None):
        self.key, made = (None, token) if token is not None else key(of, scopes)
        self.token = made
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


def told(response):
    """(status, code) of an error, which has the one shape."""
    content = response.json()
    assert set(content) == {"code", "message", "reference"}, content
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    return response.status_code, content["code"]
