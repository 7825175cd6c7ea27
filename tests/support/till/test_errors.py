"""Every error has one shape, whatever was sent and whoever found it out; and none says what was sent."""

import json
import logging

import pytest
from django.db import connection
from django.test import Client

from redemption.api.errors import BY_STATUS, ERRORS, ErrorCode
from redemption.models import TILL_SCOPES, ApiRequest, ApiScope, BatchStatus, CodeStatus
from redemption.roles import Role
from support.till.api import api
from tests import factories
from tests.support.desk import at_the_desk
from tests.support.till.tills import ADDRESS, Till, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def till():
    return Till()


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_has_a_status_and_a_sentence(code):
    assert 400 <= ERRORS[code].status < 600
    assert ERRORS[code].message[0].isupper()
    assert ERRORS[code].message.endswith(".")
    assert set(BY_STATUS.values()) <= set(ErrorCode)
    assert all(ERRORS[one].status == status for status, one in BY_STATUS.items())


def test_every_operation_documents_the_shape_of_its_errors():
    schema = api.get_openapi_schema()
    body = schema["components"]["schemas"]["ErrorBody"]
    assert set(body["required"]) == {"code", "message", "reference"}
    assert set(schema["components"]["schemas"]["ErrorCode"]["enum"]) == set(ErrorCode)
    operations = [one for path in schema["paths"].values() for one in path.values()]
    assert len(operations) == 5
    shape = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    for operation in operations:
        errors = {status: one["content"] for status, one in operation["responses"].items() if int(status) >= 400}
        assert {400, 401, 403, 404, 405, 413, 414, 422, 429, 500, 503} <= set(map(int, errors))
        assert list(errors.values()) == [shape] * len(errors)


BAD_BODIES = {
    "no JSON": (b"{", (400, "malformed")),
    "nothing": (b"", (422, "invalid")),
    "a name twice": (b'{"serial": 1000000001, "serial": 1000000002}', (400, "malformed")),
    "a NUL": (rb'{"kind": "stolen", "serials": [1000000001], "note": "a\u0000b"}', (400, "malformed")),
    "nested without end": (b'{"serial": ' + b"[" * 60 + b"]" * 60 + b"}", (400, "malformed")),
    "a NUL in a name": (rb'{"a\u0000b": 1}', (400, "malformed")),
    "half a surrogate pair": (rb'{"kind": "stolen", "serials": [1000000001], "note": "\ud800"}', (400, "malformed")),
    "bytes that are no text": (b'{"note": "\xff\xfe"}', (400, "malformed")),
    "another encoding": ('{"serial": 1000000001}'.encode("utf-16"), (400, "malformed")),
    "a mark of byte order": (b'\xef\xbb\xbf{"serial": 1000000001}', (400, "malformed")),
    "a number past bigint": (b'{"serial": 9223372036854775808}', (400, "malformed")),
    "a number of a hundred thousand digits": (b'{"serial": ' + b"9" * 100_000 + b"}", (400, "malformed")),
    "not a number": (b'{"serial": NaN}', (400, "malformed")),
    "infinity": (b'{"serial": -Infinity}', (400, "malformed")),
    "a fraction past all": (b'{"serial": 1e309}', (400, "malformed")),
    "a fraction of many digits": (b'{"serial": 0.' + b"1" * 100_000 + b"}", (400, "malformed")),
    "nested too deeply": (b"[" * 100_000 + b"]" * 100_000, (400, "malformed")),
    "a list": (b"[]", (422, "invalid")),
    "a word": (b'"1000000001"', (422, "invalid")),
    "null": (b"null", (422, "invalid")),
    "a text for a number": (b'{"serial": "1000000001"}', (422, "invalid")),
    "a fraction for a number": (b'{"serial": 1000000001.0}', (422, "invalid")),
    "yes for a number": (b'{"serial": true}', (422, "invalid")),
    "a number that no card has": (b'{"serial": 99}', (422, "invalid")),
    "a negative number": (b'{"serial": -1000000001}', (422, "invalid")),
    "an unknown field": (b'{"serial": 1000000001, "code": 1}', (422, "invalid")),
    "a missing field": (b"{}", (422, "invalid")),
    "five megabytes": (b'{"note": "' + b"x" * 5_000_000 + b'"}', (413, "too_large")),
}


@pytest.mark.parametrize("body", BAD_BODIES)
def test_what_cannot_be_read_is_told_in_the_shape(till, body):
    sent, expected = BAD_BODIES[body]
    assert [told(till.post(path, body=sent)) for path in ("/activate", "/deactivate", "/reports")] == [expected] * 3
    assert not ApiRequest.objects.exists()


BAD_REPORTS = {
    "no cards": {"serials": []},
    "a range that ends before it begins": {"ranges": [{"first": 1_000_000_002, "last": 1_000_000_001}]},
    "another kind": {"kind": "lost"},
    "a time without offset": {"sold_at": "2026-06-15T12:00:00"},
    "seconds for a time": {"sold_at": 1_780_000_000},
    "a time that is none": {"sold_at": "yesterday"},
    "a time to come": {"sold_at": "2999-01-01T00:00:00Z"},
    "a time before all": {"sold_at": "0001-01-01T00:00:00+14:00"},
    "a time at the end of all": {"discovered_at": "9999-12-31T23:59:59-14:00"},
    "a text for yes": {"customer_present": "yes"},
    "a store of too many letters": {"store": "x" * 81},
    "a number for a text": {"note": 5},
    "a code’s field": {"code": "x"},
}


@pytest.mark.parametrize("bad", BAD_REPORTS)
def test_a_report_with_a_wrong_field_is_refused_whole(till, bad):
    content = {"kind": "stolen", "serials": [1_000_000_001], **BAD_REPORTS[bad]}
    assert told(till.post("/reports", content)) == (422, "invalid")


def test_the_field_is_named_and_not_what_stood_in_it(till):
    answered = till.post("/reports", {"kind": "a secret", "serials": [1_000_000_001]})
    assert answered.json()["message"].startswith("kind: ")
    assert "secret" not in answered.content.decode()
    answered = till.post("/reports", {"kind": "stolen", "serials": [1_000_000_001, 5], "a secret": 1})
    assert "secret" not in answered.content.decode()
    answered = till.post("/reports", {"kind": "stolen", "serials": [1_000_000_001, 5]})
    assert answered.json()["message"].startswith("serials.1: ")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_another_content_type_is_refused(till, content_type):
    answered = till.post("/activate", body=b'{"serial": 1000000001}', content_type=content_type)
    assert told(answered) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path"), [("get", "/activate"), ("delete", "/reports"), ("put", "/deactivate"), ("patch", "/cards/5")]
)
def test_another_method_is_refused_and_told_which_are_taken(till, method, path):
    answered = getattr(till.client, method)(ADDRESS + path)
    assert told(answered) == (405, "method_not_allowed")
    assert answered.headers["Allow"]


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/activate/", "/cards/", "/cards/1/2", "/docs", "/../v2/x"])
def test_another_address_has_nothing(till, path):
    assert told(till.get(path)) == (404, "not_found")


def test_an_address_that_is_too_long_or_holds_nul_is_refused(till):
    assert told(till.client.get(f"{ADDRESS}/cards/{'1' * 5000}")) == (414, "address_too_long")
    assert told(till.client.get(f"{ADDRESS}/cards/1%00")) == (400, "malformed")
    assert told(till.client.get(f"{ADDRESS}/cards/1", {str(number): 1 for number in range(501)})) == (400, "malformed")


@pytest.mark.parametrize("after", ["x", "-1", "9" * 30, "1.5", ""])
def test_a_query_that_cannot_be_read_is_refused(till, after):
    assert told(till.get("/reports/RP-0000-0000-0000", after=after)) == (422, "invalid")


@pytest.mark.parametrize("serial", ["x", "5", "-1", "9" * 30, "1000000001.0", "٣", "%ff"])
def test_a_serial_number_in_an_address_that_is_none_is_refused(till, serial):
    assert told(till.get(f"/cards/{serial}")) == (422, "invalid")


# --- Codes


def test_a_code_in_a_field_is_refused_by_its_shape_and_neither_looked_up_nor_told_again(till):
    card = factories.card(factories.batch(retailer_id=till.key.retailer_id), status=CodeStatus.INACTIVE)
    slip = card.text[:-1] + ("2" if card.text[-1] != "2" else "3")
    answers = []
    for text in (card.text, card.text.lower(), slip):
        for path, content in (
            ("/activate", {"serial": text}),
            ("/activate", {"serial": card.serial, text: 1}),
            ("/reports", {"kind": "stolen", "serials": [card.serial, text]}),
            ("/reports", {"kind": text, "serials": [card.serial]}),
        ):
            answers.append(till.post(path, content))
        answers.append(till.client.get(f"{ADDRESS}/cards/{text}"))
        answers.append(till.client.get(f"{ADDRESS}/reports/RP-1?after={text}"))
    assert {told(one) for one in answers} == {(422, "looks_like_a_code")}
    assert len({one.content for one in answers}) == 1
    assert not answers[0].cookies
    assert card.row.status == CodeStatus.INACTIVE


def test_no_code_and_no_key_is_in_any_log(till, caplog):
    caplog.set_level(logging.DEBUG)
    card = factories.card(factories.batch(retailer_id=till.key.retailer_id), status=CodeStatus.INACTIVE)
    till.post("/activate", {"serial": card.text}, name=card.text)
    till.post("/reports", {"kind": "stolen", "serials": [card.serial], "note": card.text}, name=card.text)
    till.client.get(f"{ADDRESS}/cards/{card.text}")
    Till(token=till.token + "x").get("/cards/1000000001")
    Till(token=card.text).get("/cards/1000000001")
    said = " ".join([record.getMessage() + str(record.exc_info or "") for record in caplog.records])
    stored = json.dumps(list(ApiRequest.objects.values("key", "answer")))
    assert "looks like a code" not in stored
    assert len(stored) > 2
    for secret in (card.text, card.code, till.token, till.token.split("_", 2)[2]):
        assert secret not in said
        assert secret not in stored


# --- Something wrong here


def test_what_nobody_expected_is_told_with_a_reference_that_stands_in_the_log(till, caplog):
    card = factories.card(factories.batch(retailer_id=till.key.retailer_id), status=CodeStatus.INACTIVE)
    with connection.execute_wrapper(_divides_by_zero):
        answered = till.post("/activate", {"serial": card.serial})
    assert told(answered) == (500, "internal_error")
    assert answered.json()["reference"].startswith("ER-")
    assert answered.json()["reference"] in caplog.text
    assert not ApiRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_outage_is_told_as_one_and_the_same_request_works_afterwards(till):
    card = factories.card(factories.batch(retailer_id=till.key.retailer_id), status=CodeStatus.INACTIVE)
    with connection.execute_wrapper(_is_away):
        answered = till.post("/activate", {"serial": card.serial}, name="one")
    assert told(answered) == (503, "unavailable")
    assert answered.headers["Retry-After"]
    assert till.post("/activate", {"serial": card.serial}, name="one").status_code == 200


def _divides_by_zero(execute, sql, params, many, context):
    if "UPDATE redemption_code" in sql:
        raise ZeroDivisionError
    return execute(sql, params, many, context)


def _is_away(execute, sql, params, many, context):
    if "UPDATE redemption_code" in sql:
        with connection.connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 1")  # ends with the transaction, so no other test meets it
        return execute("SELECT pg_sleep(5)", None, many, context)
    return execute(sql, params, many, context)


# --- Browsers


def test_a_session_of_a_browser_does_nothing_here():
    client, _ = at_the_desk(Role.ADMINISTRATOR)
    for made in (client, Client(enforce_csrf_checks=True)):
        answered = made.post(f"{ADDRESS}/activate", b"{}", content_type="application/json")
        assert told(answered) == (401, "unauthorized")
        assert not answered.cookies


def test_answers_are_kept_by_nobody(till):
    assert till.get("/cards/1000000001").headers["Cache-Control"] == "no-store"


def test_the_description_is_open_and_only_read(client):
    answered = client.get(f"{ADDRESS}/openapi.json")
    assert answered.status_code == 200
    assert set(answered.json()["paths"]) == {
        f"{ADDRESS}{path}"
        for path in ("/activate", "/deactivate", "/reports", "/reports/{reference}", "/cards/{serial}")
    }
    assert told(client.post(f"{ADDRESS}/openapi.json", "{}", content_type="application/json")) == (
        405,
        "method_not_allowed",
    )


def test_all_of_a_batch_that_is_a_draft_is_unknown(till):
    batch = factories.batch(retailer_id=till.key.retailer_id, status=BatchStatus.DRAFT)
    assert told(till.post("/activate", {"serial": batch.serials.lower})) == (404, "unknown_card")


@pytest.mark.parametrize("scope", TILL_SCOPES)
def test_every_operation_needs_its_scope(scope):
    till = Till(scopes=[scope])
    opened = {
        ApiScope.ACTIVATE: till.post("/activate", {"serial": 1_000_000_001}),
        ApiScope.DEACTIVATE: till.post("/deactivate", {"serial": 1_000_000_001}),
        ApiScope.REPORT: till.get("/reports/RP-0000-0000-0000"),
        ApiScope.STATUS: till.get("/cards/1000000001"),
    }
    assert {one for one, answered in opened.items() if told(answered) != (403, "missing_scope")} == {scope}
