"""Signatures: as others compute and check them, and nobody else's."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import InvalidToken
from hypothesis import given
from hypothesis import strategies as some
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from redemption.webhooks import signing
from tests.redemption.webhooks.receiving import SECRET

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def signed(body=b"{}", secrets=(SECRET,), now=NOW, reference="WH-1"):
    return signing.headers(reference=reference, body=body, secrets=list(secrets), now=now)


@given(body=some.text(max_size=200), raw=some.binary(min_size=24, max_size=64))
def test_another_implementation_signs_alike(body, raw):
    secret = "whsec_" + base64.b64encode(raw).decode()
    told = signed(body.encode(errors="surrogatepass"), [secret]) if body.isprintable() else signed(b"", [secret])
    text = body if body.isprintable() else ""
    assert told["webhook-signature"] == Webhook(secret).sign("WH-1", NOW, text)


def test_ours_and_theirs_refuse_the_same():
    now, body = datetime.now(UTC), b'{"a":1}'
    good = signed(body, now=now)
    other = signing.make_secret()
    cases = {
        "good": (good, body, SECRET),
        "two secrets, the first": (signed(body, [SECRET, other], now=now), body, SECRET),
        "two secrets, the second": (signed(body, [other, SECRET], now=now), body, SECRET),
        "another's": (good, body, other),
        "another body": (good, b'{"a":2}', SECRET),
        "another id": (good | {"webhook-id": "WH-2"}, body, SECRET),
        "another time": (good | {"webhook-timestamp": str(int(now.timestamp()) - 1)}, body, SECRET),
        "old": (signed(body, now=now - timedelta(minutes=6)), body, SECRET),
        "of the future": (signed(body, now=now + timedelta(minutes=6)), body, SECRET),
        "an old version": (good | {"webhook-signature": good["webhook-signature"].replace("v1", "v0")}, body, SECRET),
    }
    found, theirs = {}, {}
    for name, (headers, text, secret) in cases.items():
        found[name] = signing.is_genuine(headers=headers, body=text, secret=secret)
        try:
            Webhook(secret).verify(text, headers)
            theirs[name] = True
        except WebhookVerificationError:
            theirs[name] = False
    assert (
        found
        == theirs
        == {name: name in {"good", "two secrets, the first", "two secrets, the second"} for name in cases}
    )


@pytest.mark.parametrize(
    "headers", [{}, {"webhook-timestamp": "x"}, {"webhook-timestamp": "9" * 400}, {"webhook-timestamp": "\u0661"}]
)
def test_what_is_no_signature_is_refused(headers):
    assert not signing.is_genuine(headers=headers, body=b"", secret=SECRET)


def test_secrets_are_random_and_rest_encrypted_under_a_key_that_may_change(settings):
    secret = signing.make_secret()
    assert secret != signing.make_secret()
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    sealed = signing.seal_secret(secret)
    assert secret.removeprefix("whsec_") not in sealed
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another" * 10
    with pytest.raises(InvalidToken):
        signing.open_secret(sealed)
    settings.SECRET_KEY_FALLBACKS = [former]
    assert signing.open_secret(sealed) == secret


def test_an_error_quotes_no_secret():
    with pytest.raises(ValueError, match="no webhook's secret") as refused:
        signed(secrets=["whsec_not base64!"])
    assert "not base64" not in str(refused.value)
    assert refused.value.__suppress_context__
