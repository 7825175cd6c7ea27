"""What every answer tells browsers to refuse: every address there is, read from the code, asked over HTTP."""

import re
import uuid
from http import HTTPStatus

import pytest
from django.conf import settings as django_settings
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern, RoutePattern

from config.headers import DATA, PERMISSIONS, SHELL, STRICT
from redemption.roles import Role
from tests import factories
from tests.support.desk import at_the_desk

pytestmark = pytest.mark.django_db

SAMPLES = {"int": 1, "str": "x", "slug": "x", "path": "x", "uuid": uuid.UUID(int=1)}
# Of other packages, and what stands in them.
EXPRESSIONS = {
    r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": "password/reset/key/1-x/",
    r"^confirm-email/(?P<key>[-:\w]+)/$": "confirm-email/x/",
    r"(?P<url>.*)$": "nothing",
}
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": PERMISSIONS,
}


def written(pattern):
    """An address that the pattern takes."""
    if isinstance(pattern, RoutePattern):
        address = pattern._route
        for name, converter in pattern.converters.items():
            kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
            address = re.sub(rf"<(?:\w+:)?{name}>", converter.to_url(SAMPLES[kind]), address)
        return address
    assert isinstance(pattern, RegexPattern)
    text = re.sub(r"\(\?P<app_label>[^)]*\)", "redemption", pattern._regex)
    return EXPRESSIONS[text] if "(" in text else text.strip("^$").replace("\\", "")


def addresses(patterns=None, before="/"):
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        here = before + written(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, here)
        else:
            assert isinstance(pattern, URLPattern)
            yield here


STRICT_ROOMS = ("/redeem/", "/account/", "/status/", "/retailer/", "/accounts/")


def expected(address, response):
    if address.startswith("/api/"):
        return DATA
    if address.startswith(STRICT_ROOMS):
        return STRICT
    # “There is no such card” is a page of the shell; “there is no such page” is not.
    is_error = response.status_code >= 400 and b"/unfold/js/" not in response.content
    return STRICT if is_error and response.status_code != HTTPStatus.METHOD_NOT_ALLOWED else SHELL


def seen(response):
    return {name: response.headers.get(name) for name in ALWAYS}


@pytest.fixture(params=["nobody", Role.CUSTOMER, Role.RETAILER, Role.ADMINISTRATOR])
def client_of(request):
    return Client() if request.param == "nobody" else at_the_desk(request.param)[0]


def test_every_address_has_the_policy_of_its_room(client_of):
    client_of.raise_request_exception = False
    wrong = []
    for address in sorted(set(addresses())):
        response = client_of.get(address)
        policy = response.headers.get("Content-Security-Policy")
        if policy != expected(address, response) or seen(response) != ALWAYS:
            wrong.append((address, response.status_code, policy, seen(response)))
        assert response.status_code < 500, address
        # Nobody's page is kept by anything between, or by the next person at this machine.
        if "no-store" not in response.headers.get("Cache-Control", "") and address != "/status/":
            wrong.append((address, response.status_code, response.headers.get("Cache-Control")))
    assert wrong == []


def test_a_page_of_the_shell_keeps_its_policy_where_nothing_is_found():
    agent = at_the_desk(Role.AGENT)[0]
    for answer in (agent.post("/", {"typed": "no such words"}), agent.get("/codes/1/")):
        in_shell = b"/unfold/js/" in answer.content
        assert answer.headers["Content-Security-Policy"] == (SHELL if in_shell else STRICT)


def test_every_room_is_among_the_addresses():
    """A new one is looked at before it gets a policy."""
    rooms = {address.split("/")[1] for address in addresses()}
    strict = {room.strip("/") for room in STRICT_ROOMS}
    assert strict <= rooms
    desk = {written(pattern.pattern).split("/")[0] for pattern in get_resolver("support.urls").url_patterns}
    assert rooms - strict == {"api", "admin"} | desk


def test_what_no_view_answers_has_them_too(client, files):
    client.raise_request_exception = False
    too_long, code = f"/redeem/?q={'x' * 5000}", factories.card().text
    agent = at_the_desk(Role.AGENT)[0]
    for answer, status in {
        client.get("/nothing/of/the/kind"): HTTPStatus.NOT_FOUND,
        client.get("/", headers={"host": "evil.example"}): HTTPStatus.BAD_REQUEST,
        client.get(too_long): HTTPStatus.REQUEST_URI_TOO_LONG,
        client.get("/redeem/\0"): HTTPStatus.BAD_REQUEST,
        client.post("/accounts/login/", {"login": "x" * 2**21}): HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        agent.get("/redeem/", {"q": code}): HTTPStatus.FOUND,
        files.get("/static/redemption/customers.css"): HTTPStatus.OK,
        client.get("/static/redemption/nothing.css"): HTTPStatus.NOT_FOUND,
        Client(enforce_csrf_checks=True).post("/accounts/login/"): HTTPStatus.FORBIDDEN,
    }.items():
        answer.close()
        assert answer.status_code == status
        assert answer.headers["Content-Security-Policy"] == STRICT
        assert seen(answer) == ALWAYS


@pytest.fixture
def files(settings):
    """A browser that finds the static files where they lie: nobody has collected them."""
    settings.WHITENOISE_USE_FINDERS = True
    return Client()


def test_static_files_say_themselves_how_long_they_keep(files):
    response = files.get("/static/redemption/customers.css")
    response.close()
    assert response.headers["Cache-Control"].startswith("max-age")


def test_an_interface_allows_nothing_and_a_refusal_of_one_neither(client):
    for address in ("/api/till/v1/openapi.json", "/api/nothing", f"/api/{'x' * 5000}"):
        assert client.get(address).headers["Content-Security-Policy"] == DATA


def test_strict_means_no_inline_no_eval_and_nothing_of_others():
    for policy in (STRICT, DATA):
        assert "unsafe" not in policy
    directives = dict(directive.split(" ", 1) for directive in STRICT.split("; "))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    # What the shell needs more, and no more than that.
    shell = dict(directive.split(" ", 1) for directive in SHELL.split("; "))
    assert {name: sources for name, sources in shell.items() if directives.get(name) != sources} == {
        "script-src": "'self' 'unsafe-eval'",
        "style-src-attr": "'unsafe-inline'",
    }


def test_with_https_browsers_are_told_to_stay_with_it(settings):
    settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = 31_536_000, True
    settings.SECURE_HSTS_PRELOAD = True
    for address in ("/accounts/login/", "/nothing", "/api/nothing", "/static/redemption/customers.css"):
        response = Client().get(address, secure=True)
        response.close()
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"


def test_the_shells_colours_stand_in_a_file_with_every_name_that_the_theme_gives_them(client):
    """A newer theme may name more: its pages would lose them in silence."""
    path = django_settings.BASE_DIR / "redemption" / "static" / "redemption" / "colors.css"
    named = set(re.findall(r"--color-([\w-]+):", path.read_text()))
    theme = admin.site._get_colors("COLORS", None)
    assert named == {f"{name}-{weight}" for name, weights in theme.items() for weight in weights}
