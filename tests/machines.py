"""What platforms' and retailers' systems have in common, for tests of their interfaces."""

import itertools
import json

from django.test import Client
from django.utils import timezone

from redemption.api.keys import make_token
from redemption.models import ApiKey
from tests import factories

_names = itertools.count(1)


def make_key(role, scopes, **fields):
    """(the row, the token as text)."""
    token = make_token()
    made = ApiKey.objects.create(
        **{
            "name": "systems",
            "prefix": token.prefix,
            "digest": token.digest,
            "scopes": list(scopes),
            "created_by": factories.user(role),
            "created_at": timezone.now(),
            **fields,
        }
    )
    return made, token.text


class Machine:
    """Sends with this token. Each post has an idempotency key of its own, unless one is given."""

    address: str

    def __init__(self, token):
        self.token = token
        self.client = Client()

    def post(self, path, content=None, *, name=None, body=None, **headers):
        body = json.dumps(content).encode() if body is None else body
        sent = {
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "HTTP_IDEMPOTENCY_KEY": name or f"wish-{next(_names)}",
            **headers,
        }
        return self.client.post(
            self.address + path,
            body,
            content_type=sent.pop("content_type", "application/json"),
            **{header: value for header, value in sent.items() if value is not None},
        )

    def get(self, path, **data):
        return self.client.get(self.address + path, data, headers={"authorization": f"Bearer {self.token}"})


def told(response):
    """(status, code) of an error, which has the one shape."""
    content = response.json()
    assert set(content) == {"code", "message", "reference"}, content
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    return response.status_code, content["code"]
