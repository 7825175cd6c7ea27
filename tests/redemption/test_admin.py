"""The catalogue and the batches in the admin."""

from datetime import timedelta

import pyrage
import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from redemption.issuing import issue_batch
from redemption.models import (
    Batch,
    BatchJob,
    BatchStatus,
    CardEvent,
    CodeFormat,
    CodeStatus,
    JobStatus,
    PrintFileDownload,
    Product,
    Program,
    Retailer,
)
from redemption.roles import STAFF_ROLES, Role
from tests import factories
from tests.support.desk import at_the_desk

pytestmark = pytest.mark.django_db

R = Role
EVERYBODY = set(Role) - {R.SYSTEM}
AGENTS = {R.AGENT, R.SENIOR_AGENT, R.MANAGER, R.ADMINISTRATOR}
CATALOGUE = AGENTS | {R.AUDITOR}
MANAGERS = {R.MANAGER, R.ADMINISTRATOR}
WHO_OPENS = {
    "/admin/": set(STAFF_ROLES),
    "/admin/redemption/": CATALOGUE,
    "/admin/redemption/program/": CATALOGUE,
    "/admin/redemption/program/{program}/change/": CATALOGUE,
    "/admin/redemption/program/{program}/history/": CATALOGUE,
    "/admin/redemption/program/add/": MANAGERS,
    "/admin/redemption/product/": CATALOGUE,
    "/admin/redemption/product/{product}/change/": CATALOGUE,
    "/admin/redemption/product/add/": MANAGERS,
    "/admin/redemption/retailer/": CATALOGUE,
    "/admin/redemption/retailer/{retailer}/change/": CATALOGUE,
    "/admin/redemption/retailer/add/": MANAGERS,
    "/admin/redemption/batch/": CATALOGUE,
    "/admin/redemption/batch/{batch}/change/": CATALOGUE,
    "/admin/redemption/batch/{draft}/change/": CATALOGUE,
    "/admin/redemption/batch/{batch}/progress/": CATALOGUE,
    "/admin/redemption/batch/add/": MANAGERS,
    "/admin/redemption/batch/{draft}/do/issue/": MANAGERS,
    "/admin/redemption/batch/{batch}/do/close/": MANAGERS,
    "/admin/redemption/batch/{batch}/do/extend/": MANAGERS,
    "/admin/redemption/batch/{batch}/do/freeze/": AGENTS,
    "/admin/redemption/batch/{batch}/do/unknown/": set(),
    "/admin/redemption/batch/{batch}/print-file/": set(),
    "/admin/redemption/batch/{batch}/delete/": set(),
    "/admin/redemption/product/{product}/delete/": set(),
    "/admin/redemption/account/": CATALOGUE,
    "/admin/redemption/account/{account}/change/": CATALOGUE,
    "/admin/redemption/account/{account}/history/": set(),
    "/admin/redemption/account/{account}/delete/": set(),
    "/admin/redemption/account/add/": MANAGERS,
    "/admin/redemption/user/": {R.ADMINISTRATOR},
    "/admin/redemption/user/{person}/change/": {R.ADMINISTRATOR},
    "/admin/redemption/user/{customer}/change/": set(),
    "/admin/redemption/user/{person}/send-password-link/": set(),
    "/admin/redemption/user/add/": {R.ADMINISTRATOR},
    "/admin/redemption/apikey/": CATALOGUE,
    "/admin/search/?s=x": set(),
    "/admin/auth/group/": set(),
    "/admin/account/emailaddress/": set(),
    "/admin/mfa/authenticator/": set(),
    "/admin/usersessions/usersession/": set(),
    "/admin/procrastinate/procrastinatejob/": set(),
    "/admin/autocomplete/?app_label=redemption&model_name=batch&field_name=product": CATALOGUE,
    "/admin/autocomplete/?app_label=redemption&model_name=attempt&field_name=account": set(),
    "/admin/autocomplete/?app_label=redemption&model_name=account&field_name=user": set(),
}


@pytest.fixture
def world():
    batch = factories.batch(expires_on=timezone.now().date() + timedelta(30))
    draft = Batch.objects.create(
        product=batch.product,
        retailer=batch.retailer,
        code_format=batch.code_format,
        quantity=20,
        created_by=factories.user(R.MANAGER),
    )
    return {
        "program": batch.product.program_id,
        "product": batch.product_id,
        "retailer": batch.retailer_id,
        "batch": batch.pk,
        "draft": draft.pk,
        "account": factories.account(batch.product.program).pk,
        "person": factories.user(R.AGENT).pk,
        "customer": factories.user(R.CUSTOMER).pk,
    }


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_each_page_opens_for_whom_it_is_and_does_not_exist_for_others(world, role):
    client, _ = at_the_desk(role)
    found = {page: client.get(page.format(**world)).status_code for page in WHO_OPENS}
    assert found == {page: 200 if role in roles else 404 for page, roles in WHO_OPENS.items()}


def test_every_model_in_the_admin_is_in_the_table():
    """The desk's own models stand in the desk's table (test_roles_matrix.py)."""
    models = [model._meta for model in admin.site._registry if model._meta.app_label != "support"]
    assert {f"/admin/{meta.app_label}/{meta.model_name}/" for meta in models} - set(WHO_OPENS) == set()


@pytest.mark.parametrize("role", sorted(EVERYBODY - MANAGERS))
def test_a_post_to_a_page_that_may_only_be_read_changes_nothing(world, role):
    client, _ = at_the_desk(role)
    before = Retailer.objects.get(pk=world["retailer"]).name
    assert client.post(f"/admin/redemption/retailer/{world['retailer']}/change/", {"name": "Else"}).status_code == 404
    assert client.post(f"/admin/redemption/batch/{world['batch']}/do/close/", {"reason": "x"}).status_code == 404
    assert Retailer.objects.get(pk=world["retailer"]).name == before
    assert Batch.objects.get(pk=world["batch"]).status == BatchStatus.ACTIVE


# --- Figures and queries


@pytest.mark.parametrize("page", ["batch", "product", "program", "retailer", "account", "user"])
def test_a_list_asks_as_much_for_three_rows_as_for_one(django_assert_num_queries, page):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client, _ = at_the_desk(R.ADMINISTRATOR)
    counts = []
    for size in (1, 2):
        for _ in range(size):
            made = factories.batch()
            factories.account(made.product.program)
            factories.user(R.AGENT)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(f"/admin/redemption/{page}/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_batch_page_neither_counts_nor_loads_codes():
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client, _ = at_the_desk(R.MANAGER)
    batch = factories.batch(size=300)
    factories.cards(300, batch)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/admin/redemption/batch/{batch.pk}/change/").status_code == 200
        assert client.get("/admin/redemption/batch/").status_code == 200
    assert [
        query["sql"] for query in queries if "redemption_code" in query["sql"].replace("redemption_codeformat", "")
    ] == []


def test_a_batch_shows_its_figures_and_what_happened():
    client, manager = at_the_desk(R.MANAGER)
    batch = factories.batch(size=2_000_000)
    batch.tally.activated, batch.tally.redeemed, batch.tally.refused = 1_500_000, 700_001, 12
    batch.tally.outstanding = 123_456_00
    batch.tally.save()
    CardEvent.objects.create(
        kind="frozen",
        batch=batch,
        first_serial=batch.serials.lower + 5,
        last_serial=batch.serials.lower + 9,
        reason="Stolen from the van",
        by=manager,
        at=timezone.now(),
    )
    text = client.get(f"/admin/redemption/batch/{batch.pk}/change/").content.decode()
    for shown in ("2,000,000", "1,500,000", "700,001", "£123,456.00", "Stolen from the van"):
        assert shown in text
    listed = client.get(f"/admin/redemption/batch/?q={batch.serials.lower + 7}").content.decode()
    assert batch.reference in listed
    assert "700,001" in listed


# --- Drafts


def draft_form(product, retailer, **fields):
    return {
        "product": product.pk,
        "retailer": retailer.pk,
        "quantity": 50,
        "first_serial": "",
        "expires_on": "",
        **fields,
    }


def test_a_new_batch_is_a_draft_of_the_newest_format_made_by_whoever_made_it():
    client, manager = at_the_desk(R.MANAGER)
    product = factories.product()
    newest = CodeFormat.objects.create(program=product.program, version=2, prefix="NEW")
    response = client.post(
        "/admin/redemption/batch/add/", draft_form(product, factories.retailer(), first_serial=5_000_000_000)
    )
    batch = Batch.objects.get()
    assert response.url == reverse("admin:redemption_batch_change", args=[batch.pk])
    assert (batch.status, batch.code_format, batch.created_by) == (BatchStatus.DRAFT, newest, manager)
    assert (batch.first_serial, batch.last_serial) == (5_000_000_000, 5_000_000_049)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"first_serial": "{taken}"}, "first_serial"),
        ({"first_serial": "999"}, "first_serial"),
        ({"first_serial": "9999999990"}, "first_serial"),
        ({"first_serial": "99999999999999999999999"}, "first_serial"),
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"quantity": "5000001"}, "quantity"),
        ({"quantity": "99999999999999999999999"}, "quantity"),
        ({"quantity": "1e5"}, "quantity"),
        ({"quantity": "12\0"}, "quantity"),
        ({"expires_on": "{yesterday}"}, "expires_on"),
        ({"expires_on": "0000-00-00"}, "expires_on"),
        ({"product": "99999999999999999999999"}, "product"),
        ({"product": "9" * 5000}, "product"),
        ({"product": "\0"}, "product"),
        ({"retailer": ""}, "retailer"),
        ({"retailer": "{inactive}"}, "retailer"),
        ({"product": "{supplier}"}, "product"),
        ({"product": "{without_format}"}, "product"),
    ],
)
def test_what_is_wrong_with_a_draft_is_said_beside_its_field(fields, where):
    client, _ = at_the_desk(R.MANAGER)
    other = factories.batch()
    without = factories.program()
    bare = Program.objects.create(name="Bare", slug="bare", digest_name="bare")
    values = {
        "taken": other.serials.lower - 10,
        "yesterday": (timezone.now() - timedelta(days=2)).date().isoformat(),
        "inactive": factories.retailer(is_active=False).pk,
        "supplier": factories.product(factories.pin_program()).pk,
        "without_format": factories.product(bare).pk,
    }
    form = draft_form(factories.product(without), factories.retailer())
    form.update({name: value.format(**values) for name, value in fields.items()})
    response = client.post("/admin/redemption/batch/add/", form)
    assert response.status_code == 200
    assert list(response.context["adminform"].form.errors) == [where]
    assert Batch.objects.count() == 1


def test_a_draft_may_be_changed_and_an_issued_batch_may_not(world):
    client, _ = at_the_desk(R.MANAGER)
    product, retailer = factories.product(), factories.retailer()
    form = draft_form(product, retailer, quantity=77)
    assert client.post(f"/admin/redemption/batch/{world['draft']}/change/", form).status_code == 302
    assert Batch.objects.get(pk=world["draft"]).quantity == 77
    assert client.post(f"/admin/redemption/batch/{world['batch']}/change/", form).status_code == 404
    assert Batch.objects.get(pk=world["batch"]).product_id == world["product"]


# --- What is done to a batch


@pytest.fixture
def printer():
    return str(pyrage.x25519.Identity.generate().to_public())


@pytest.fixture
def issued(settings, tmp_path, printer):
    settings.MEDIA_ROOT = tmp_path
    product = factories.product(factories.program(printer_key=printer))
    draft = Batch.objects.create(
        product=product,
        retailer=factories.retailer(),
        code_format=product.program.current_format(),
        quantity=30,
        created_by=factories.user(R.MANAGER),
    )
    issue_batch(batch=draft, by=factories.user(R.MANAGER))
    return draft


def press(client, batch, name, **fields):
    return client.post(f"/admin/redemption/batch/{batch.pk}/do/{name}/", fields)


def test_a_batch_goes_from_button_to_button(issued):
    client, manager = at_the_desk(R.MANAGER)
    for name, fields, status in [
        ("activate", {}, BatchStatus.ACTIVE),
        ("freeze", {"reason": "Theft"}, BatchStatus.FROZEN),
        ("thaw", {"reason": "Found again"}, BatchStatus.ACTIVE),
        ("close", {"reason": "Over"}, BatchStatus.CLOSED),
    ]:
        response = press(client, issued, name, **fields)
        assert response.url == reverse("admin:redemption_batch_change", args=[issued.pk])
        assert Batch.objects.get(pk=issued.pk).status == status
    assert set(CardEvent.objects.filter(batch=issued).exclude(kind="issued").values_list("by", flat=True)) == {
        manager.pk
    }


def test_looking_at_a_button_does_nothing(issued):
    client, _ = at_the_desk(R.MANAGER)
    for name in ("activate", "freeze", "close", "extend", "destroy-print-file"):
        assert client.get(f"/admin/redemption/batch/{issued.pk}/do/{name}/").status_code in {200, 302}
    assert Batch.objects.get(pk=issued.pk).status == BatchStatus.ISSUED
    assert Batch.objects.get(pk=issued.pk).print_file.destroyed_at is None


def test_a_button_that_does_not_fit_any_more_says_so(issued):
    client, _ = at_the_desk(R.MANAGER)
    press(client, issued, "close", reason="Over")
    response = press(client, issued, "freeze", reason="Late")
    assert response.status_code == 302
    assert "closed" in [str(message) for message in get_messages(response.wsgi_request)][-1]


def test_the_domains_refusal_stands_in_the_form_as_a_sentence(issued):
    client, _ = at_the_desk(R.MANAGER)
    response = press(client, issued, "extend", expires_on="2099-01-01")
    assert response.status_code == 200
    assert "Only issued batches with an expiry can be extended." in response.content.decode()
    for reason in ("", "   ", "x" * 201, "nul\0"):
        assert press(client, issued, "freeze", reason=reason).status_code == 200
    assert Batch.objects.get(pk=issued.pk).status == BatchStatus.ISSUED


def test_a_reason_with_a_code_in_it_is_refused(issued):
    client, _ = at_the_desk(R.MANAGER)
    card = factories.card()
    pin = factories.card(factories.batch(factories.product(factories.pin_program())))
    for text in (card.text, card.text.lower().replace("-", " "), pin.text):
        response = press(client, issued, "freeze", reason=f"Stolen: {text}, says the shop")
        assert "There is a code in it" in response.content.decode()
    assert Batch.objects.get(pk=issued.pk).status == BatchStatus.ISSUED
    reason = f"Stolen: {card.serial} to {card.serial + 9}, see {issued.reference}"
    assert press(client, issued, "freeze", reason=reason).status_code == 302


def test_a_big_batchs_cards_are_not_all_sold_within_a_page(issued):
    Batch.objects.filter(pk=issued.pk).update(quantity=20_001)
    client, _ = at_the_desk(R.MANAGER)
    assert "longer than a page may" in press(client, issued, "activate", with_cards="on").content.decode()
    assert press(client, issued, "activate").status_code == 302


def test_a_small_batchs_cards_are_sold_with_it_on_demand(issued):
    client, _ = at_the_desk(R.MANAGER)
    assert press(client, issued, "activate", with_cards="on").status_code == 302
    assert set(issued.codes.values_list("status", flat=True)) == {CodeStatus.ACTIVE}


def test_issuing_makes_a_job_whose_bar_shows_until_it_ends(world):
    client, _ = at_the_desk(R.MANAGER)
    draft = Batch.objects.get(pk=world["draft"])
    press(client, draft, "issue")
    press(client, draft, "issue")
    job = BatchJob.objects.get()
    page = f"/admin/redemption/batch/{draft.pk}/"
    assert "0 of 20 (0 %)" in client.get(f"{page}change/").content.decode()
    assert "do/issue" not in client.get(f"{page}change/").content.decode()
    BatchJob.objects.update(status=JobStatus.RUNNING, done=5)
    assert "5 of 20 (25 %)" in client.get(f"{page}progress/").content.decode()
    BatchJob.objects.update(status=JobStatus.FAILED, message="The disk is full.")
    assert client.get(f"{page}progress/").headers["HX-Refresh"] == "true"
    text = client.get(f"{page}change/").content.decode()
    assert "The disk is full." in text
    assert "do/issue" in text
    assert job.total == 20


def test_the_print_file_is_fetched_under_record_and_destroyed_with_its_receipt(issued):
    client, manager = at_the_desk(R.MANAGER)
    page = f"/admin/redemption/batch/{issued.pk}/print-file/"
    assert client.get(page).status_code == 404
    response = client.post(page)
    assert b"".join(response.streaming_content).startswith(b"age-encryption.org/v1")
    for close in response._resource_closers:
        close()
    assert f'filename="{issued.reference}.csv.age"' in response.headers["Content-Disposition"]
    assert PrintFileDownload.objects.get().by == manager
    assert str(manager) in client.get(f"/admin/redemption/batch/{issued.pk}/change/").content.decode()
    assert at_the_desk(R.AGENT)[0].post(page).status_code == 404
    press(client, issued, "destroy-print-file")
    assert client.post(page).status_code == 302
    assert PrintFileDownload.objects.count() == 1


# --- Programs, products, retailers


def program_form(**fields):
    return {
        "name": "Spotify",
        "slug": "spotify",
        "digest_name": "spotify",
        "time_zone": "Europe/Berlin",
        "stacking_cap_months": 18,
        "deactivation_minutes": 60,
        "plan_prices-TOTAL_FORMS": 0,
        "plan_prices-INITIAL_FORMS": 0,
        "formats-TOTAL_FORMS": 1,
        "formats-INITIAL_FORMS": 0,
        "formats-0-prefix": "SPOTIFY",
        "formats-0-length": 12,
        "formats-0-group_size": 4,
        "formats-0-has_check_symbol": "on",
        "formats-0-alphabet": "0123456789ABCDEFGHJKMNPQRSTVWXYZ",
        "formats-0-look_alikes": "O=0, I=1",
        **fields,
    }


def test_a_program_is_added_with_its_first_format_and_words():
    client, _ = at_the_desk(R.MANAGER)
    form = program_form(wording_code_not_valid="Nope.", share_link_patterns="a{1,2}\n\nb")
    assert client.post("/admin/redemption/program/add/", form).status_code == 302
    program = Program.objects.get()
    assert program.wording == {"code_not_valid": "Nope."}
    assert program.share_link_patterns == ["a{1,2}", "b"]
    made = program.current_format()
    assert (made.version, made.prefix, made.look_alikes) == (1, "SPOTIFY", {"O": "0", "I": "1"})


def test_formats_are_only_added_and_the_digest_name_stays():
    client, _ = at_the_desk(R.MANAGER)
    program = factories.program()
    first = program.current_format()
    form = program_form(
        **{
            "digest_name": "other",
            "formats-TOTAL_FORMS": 2,
            "formats-INITIAL_FORMS": 1,
            "formats-0-id": first.pk,
            "formats-0-program": program.pk,
            "formats-0-prefix": "HACKED",
            "formats-1-prefix": "SECOND",
            "formats-1-program": program.pk,
            "formats-1-length": 16,
            "formats-1-group_size": 4,
            "formats-1-has_check_symbol": "on",
            "formats-1-alphabet": first.alphabet,
            "formats-1-look_alikes": "",
        }
    )
    assert client.post(f"/admin/redemption/program/{program.pk}/change/", form).status_code == 302
    changed = Program.objects.get()
    assert (changed.name, changed.digest_name) == ("Spotify", program.digest_name)
    assert list(changed.formats.order_by("version").values_list("version", "prefix")) == [(1, "SPOTIFY"), (2, "SECOND")]


@pytest.mark.parametrize(
    "fields",
    [
        {"time_zone": "Mars/Olympus"},
        {"digest_name": "With Capitals"},
        {"stacking_cap_months": "0"},
        {"stacking_cap_months": "99999999999999999999"},
        {"share_link_patterns": "("},
        {"share_link_patterns": "a\0b"},
        {"printer_key": "ssh-rsa AAAA"},
        {"name": "nul\0"},
        {"wording_code_not_valid": "nul\0"},
        {"formats-0-alphabet": "AB\u00dc"},
        {"formats-0-length": "3"},
        {"formats-0-group_size": "99999999999999999999"},
        {"formats-0-look_alikes": "O"},
        {"formats-0-look_alikes": "O=U"},
        {"formats-0-look_alikes": "O=0, O\0=1"},
        {"formats-0-look_alikes": "5=0"},
    ],
)
def test_a_program_that_would_not_work_is_refused_in_its_form(fields):
    client, _ = at_the_desk(R.MANAGER)
    assert client.post("/admin/redemption/program/add/", program_form(**fields)).status_code == 200
    assert not Program.objects.exists()


def product_form(program, **fields):
    return {
        "program": program.pk,
        "name": "Gift card",
        "sku": "GC-30",
        "kind": "gift_card",
        "benefit": "credit",
        "value": "30.50",
        "currency": "EUR",
        "months": 0,
        "days": 0,
        "countries": "de, at  CH",
        "plans": [],
        **fields,
    }


def test_a_products_value_is_written_in_its_currency():
    client, _ = at_the_desk(R.MANAGER)
    program = factories.program()
    assert client.post("/admin/redemption/product/add/", product_form(program)).status_code == 302
    made = Product.objects.get()
    assert (made.value, made.countries) == (3050, ["AT", "CH", "DE"])
    assert "€30.50" in client.get("/admin/redemption/product/").content.decode()
    shown = client.get(f"/admin/redemption/product/{made.pk}/change/").context["adminform"].form
    assert (shown["value"].value(), shown["countries"].value()) == ("30.50", "AT, CH, DE")


@pytest.mark.parametrize(
    "fields",
    [
        {"value": "0"},
        {"value": "-1"},
        {"value": "NaN"},
        {"value": "1e309"},
        {"value": "0.001"},
        {"value": "9" * 20},
        {"value": "1\0"},
        {"currency": "XXX"},
        {"currency": ""},
        {"countries": "DE, XX"},
        {"countries": ""},
        {"months": "3"},
        {"months": "99999999999999999999"},
        {"benefit": "premium", "value": "1"},
        {"benefit": "premium", "months": "1", "days": "1"},
        {"plans": ["no-such-plan"]},
    ],
)
def test_a_product_that_grants_nothing_clear_is_refused_in_its_form(fields):
    client, _ = at_the_desk(R.MANAGER)
    form = product_form(factories.program(), **fields)
    assert client.post("/admin/redemption/product/add/", form).status_code == 200
    assert not Product.objects.exists()


def test_what_issued_cards_promise_cannot_be_changed_and_the_rest_can():
    client, _ = at_the_desk(R.MANAGER)
    batch = factories.batch()
    form = product_form(batch.product.program, name="New name", value="99", countries="FR")
    assert client.post(f"/admin/redemption/product/{batch.product_id}/change/", form).status_code == 302
    changed = Product.objects.get()
    assert (changed.name, changed.countries, changed.value, changed.currency) == ("New name", ["FR"], 3000, "GBP")


def test_two_products_with_one_sku_are_refused_in_the_form():
    client, _ = at_the_desk(R.MANAGER)
    there = factories.product()
    form = product_form(there.program, sku=there.sku)
    assert client.post("/admin/redemption/product/add/", form).status_code == 200


# --- Addresses


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("batch/99999999999999999999/change/", 404),
        ("batch/99999999999999999999/do/freeze/", 404),
        ("batch/99999999999999999999/progress/", 404),
        ("batch/x/change/", 404),
        ("batch/%00/change/", 400),
        ("batch/%ED%A0%80/change/", 404),
        ("batch/?q=%00", 400),
        ("batch/?q=%ED%A0%80", 200),
        ("batch/?q=99999999999999999999", 200),
        ("batch/?p=" + "1" + "0" * 30, 200),
        ("batch/?p=-1", 200),
        ("batch/?p=x", 200),
        ("batch/?id__exact=99999999999999999999", 200),
        ("batch/?id__exact=x", 302),
        ("batch/?nonsense=1", 302),
        ("batch/?status__exact=nonsense", 200),
        ("batch/?product__id__exact=99999999999999999999", 200),
        ("batch/?product__id__exact=x", 302),
        ("batch/?product__program__id__exact=99999999999999999999", 200),
        ("batch/?expires_on_from=nonsense&expires_on_to=99999-99-99", 200),
        ("batch/?o=99.-99.x", 200),
        ("batch/?product__program__digest_name=x", 400),
        ("account/?q=%00", 400),
        ("account/?country=XX", 200),
        ("account/?p=1e30", 200),
        ("account/99999999999999999999/change/", 404),
        ("user/99999999999999999999/change/", 404),
        ("user/99999999999999999999/send-password-link/", 404),
    ],
)
def test_no_address_breaks_the_admin(address, status):
    factories.batch()
    client, _ = at_the_desk(R.ADMINISTRATOR)
    assert client.get(f"/admin/redemption/{address}").status_code == status


@pytest.mark.parametrize(
    "query",
    [
        "",
        "app_label=redemption",
        "app_label=x&model_name=y&field_name=z",
        "app_label=redemption&model_name=batch&field_name=retailer&term=%00",
        "app_label=redemption&model_name=batch&field_name=retailer&page=99999999999999999999",
    ],
)
def test_no_question_breaks_the_autocomplete(query):
    client, _ = at_the_desk(R.ADMINISTRATOR)
    assert client.get(f"/admin/autocomplete/?{query}").status_code in {400, 404}
