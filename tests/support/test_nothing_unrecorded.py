"""Everything staff do and look at leaves an event: each page of the desk and each of the admin's, or a reason here."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import transaction
from django.urls import get_resolver, reverse
from django.utils import timezone

from redemption import trail
from redemption.admin.batch_actions import ACTIONS as BATCH_ACTIONS
from redemption.models import Batch, BatchStatus
from redemption.roles import Role
from support.models import AuditAction, AuditEvent, AuditPersonal, Message
from tests import factories
from tests.support.desk import at_the_desk
from tests.support.test_roles_matrix import ADMIN, OPENS, PAGES, World, requests, table

pytestmark = pytest.mark.django_db
A = AuditAction

# Requests that an administrator is answered, and that leave no event of their own.
UNRECORDED = {
    "GET desk": "an empty box",
    "GET new_compromised": "an empty form",
    "POST save_view": "one's own view of the queue, and nothing that it shows",
    "POST change_view (one's own)": "one's own view of the queue, and nothing that it shows",
    "GET small_picture": "stands on the ticket's page, which is recorded",
    "POST draft": "one's own words, on a ticket's page that is recorded",
    "POST presence": "who else is on the ticket's page, which is recorded",
    "GET write": "leads to the ticket's page",
    "GET merge": "leads to the ticket's page",
    "GET incidents": "leads to the ticket's page",
    "GET change_ticket": "leads to the ticket's page",
    "GET bulk": "leads to the queue",
    "POST audit": "leads to the trail, which is recorded",
    "POST diagnose": "leads to the diagnosis, which is recorded",
    "GET decide": "leads to the request's page",
    "GET judge": "leads to the report's page",
    "POST use_reply": "one's own draft, on a ticket's page that is recorded",
    "POST use_macro": "one's own draft, on a ticket's page that is recorded",
    "GET preview_macro": "a text of ours with what stands on the ticket's page, which is recorded",
    # Refused in this world, so that nothing is done: what they do is recorded, as their own tests say.
    "POST export_file (one's own)": "it has no file",
    "POST take": "it is his",
    "POST link (no-duplicate)": "it is no duplicate",
    "POST link (unmerge)": "it is not merged",
    "POST link (no-problem)": "it is no problem's",
    "POST link (incident)": "the other is no problem",
    "POST link (no-incident)": "it is no problem",
    "POST link (add-incident)": "it is no problem",
}
# Pages of the admin's site itself that show no records.
SITE = {
    "index": "the list of what one may open",
    "app_list": "the list of what one may open",
    "login": "leads to the sign-in, which is recorded",
    "logout": "recorded as signing out",
    "password_change": "leads to changing the password, which is recorded",
    "password_change_done": "nothing is on it",
    "autocomplete": "names of the catalogue, in a form of it",
    "jsi18n": "a script",
    "view_on_site": "no record has such a page",
    "search": "closed",
    "redemption_batch_progress": "how far the work is, on a batch's page that is recorded",
    "toggle_sidebar": "how one's own page looks",
}


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


def recorded(send, *args, **kwargs):
    """How many events a request of ours left, and its status; the world stays as it was."""
    before = AuditEvent.objects.count()
    with transaction.atomic():
        status = send(*args, **kwargs).status_code
        left = AuditEvent.objects.count() - before
        transaction.set_rollback(True)
    return left, status


def test_every_page_and_every_action_of_the_desk_leaves_an_event_or_has_its_reason():
    world = World(Role.ADMINISTRATOR)
    # However slow the machine is, they can still be taken back.
    Message.objects.exclude(undo_until=None).update(undo_until=timezone.now() + timedelta(hours=1))
    answered = {row: int(cells[Role.ADMINISTRATOR]) for row, cells in table(PAGES).items()}
    silent, needless = [], set(UNRECORDED)
    for row, (path, data) in requests(world).items():
        method = row.split()[0].lower()
        # Redeeming is the customers' own, and kept as an attempt; the number that is mailed, beside the account.
        if answered[row] in {404, 409, 422} or path.startswith("/redeem/"):
            continue
        left, _ = recorded(getattr(world.client, method), path, data)
        plain = re.sub(r" \((private|public)\)|, (private|public)(?=\))", "", row)
        excuses = {row, plain} & set(UNRECORDED)
        if not left and not excuses:
            silent.append(row)
        if not left:
            needless -= excuses
    assert "\n".join(map(str, silent)) == ""
    assert needless == set()


def test_every_model_in_the_admin_leaves_an_event_when_it_is_listed_opened_added_changed_and_deleted():
    world = World(Role.ADMINISTRATOR)
    silent = []
    for name, cells in table(ADMIN).items():
        letters = cells[Role.ADMINISTRATOR].strip("-")
        if not letters:
            continue
        model = next(model for model in admin.site._registry if model._meta.model_name == name)
        base = f"admin:{model._meta.app_label}_{name}"
        for letter in letters:
            for method, what in OPENS[letter]:
                if (method, what) in {("GET", "add"), ("GET", "delete")} or (method == "POST" and what != "delete"):
                    # An empty form; and what is asked before deleting. Posting is tested below, with what is posted.
                    continue
                path = reverse(f"{base}_{what}", args=[world.rows[name].pk] if what in ("change", "delete") else [])
                left, status = recorded(
                    getattr(world.client, method.lower()), path, {"post": "yes"} if what == "delete" else {}
                )
                if left != 1:
                    silent.append((name, method, what, left, status))
    assert "\n".join(map(str, silent)) == ""


def test_every_change_in_the_admin_leaves_an_event():
    """The form as the page shows it, with one field changed."""
    world = World(Role.ADMINISTRATOR)
    world.rows["batch"] = Batch.objects.create(
        product=world.rows["product"],
        retailer=world.rows["retailer"],
        code_format=world.rows["batch"].code_format,
        quantity=20,
        created_by=world.me,
    )
    changed = {
        "product": ("name", "Another card"),
        "program": ("stacking_cap_months", "24"),
        "retailer": ("name", "Another shop"),
        "account": ("plan", "duo"),
        "user": ("name", "Another name"),
        "openinghours": ("weekday", "6"),
        "holiday": ("name", "Another day"),
        "target": ("resolution", "700"),
        "knownerror": ("wording", "Another wording"),
        "macro": ("name", "Another macro"),
        "creditreason": ("description", "Another use"),
        "batch": ("quantity", "30"),
    }
    silent = []
    for name, cells in table(ADMIN).items():
        if not {"c", "a"} & set(cells[Role.ADMINISTRATOR]):
            continue
        model = next(model for model in admin.site._registry if model._meta.model_name == name)
        path = reverse(f"admin:{model._meta.app_label}_{name}_change", args=[world.rows[name].pk])
        field, value = changed[name]
        with transaction.atomic():
            form = posted(world.client.get(path), {field: value})
            before = AuditEvent.objects.count()
            response = world.client.post(path, form)
            if (response.status_code, AuditEvent.objects.count() - before) != (302, 1):
                errors = response.context["adminform"].form.errors if response.context else ""
                silent.append((name, response.status_code, AuditEvent.objects.count() - before, errors))
            transaction.set_rollback(True)
    assert "\n".join(map(str, silent)) == ""


def posted(page, changes):
    """What the browser would post of the page's forms."""
    shown = page.context["adminform"].form
    forms = [shown, *(form for formset in page.context["inline_admin_formsets"] for form in formset.formset.forms)]
    forms += [formset.formset.management_form for formset in page.context["inline_admin_formsets"]]
    data = {}
    for form in forms:
        for bound in form:
            value = bound.value()
            if value is None or value is False or value == "":
                continue
            if hasattr(bound.field, "decompress"):
                continue
            rendered = bound.field.widget.format_value(value) if hasattr(bound.field.widget, "format_value") else value
            data[bound.html_name] = "on" if value is True else rendered if isinstance(rendered, list) else str(rendered)
    return {**data, **changes}


def test_every_address_of_the_admin_is_looked_at_here():
    """A page that somebody adds to a model's admin is found by its name."""
    known = {f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry}
    ours = {"changelist", "add", "history", "delete", "change"}
    more = {
        "redemption_apikey_revoke",
        "redemption_batch_act",
        "redemption_batch_print_file",
        "redemption_user_send_password_link",
        "redemption_user_remove_second_factor",
        # In test_step_up.py.
        "redemption_user_end_sessions",
        # Each with its test in test_retailer_admin.py.
        "redemption_retailer_invite",
        "redemption_retailer_invitation",
        "redemption_retailer_remove_member",
    }
    (site,) = [pattern for pattern in get_resolver().url_patterns if getattr(pattern, "app_name", "") == "admin"]
    names = {name for name in names_of(site) if name}
    left = {name for name in names if not any(name == f"{model}_{page}" for model in known for page in ours)}
    assert left - more - set(SITE) == set()
    assert more <= names


def names_of(resolver):
    for pattern in resolver.url_patterns:
        if hasattr(pattern, "url_patterns"):
            yield from names_of(pattern)
        else:
            yield pattern.name


# --- What is told


def event_of(action):
    return AuditEvent.objects.get(action=action)


def test_a_change_in_the_catalogue_says_from_what_to_what_and_keeps_texts_apart():
    program = factories.program("Spotify", stacking_cap_months=18)
    client, manager = at_the_desk(Role.MANAGER)
    path = f"/admin/redemption/program/{program.pk}/change/"
    form = posted(client.get(path), {"stacking_cap_months": "24", "name": "Jane Doe’s", "checks_location": ""})
    assert client.post(path, form).status_code == 302
    event = event_of(A.CATALOGUE_CHANGED)
    assert (event.actor_id, event.target) == (manager.pk, f"program:{program.pk}")
    assert set(event.details["fields"].split()) == {"name", "stacking_cap_months", "checks_location"}
    assert event.details["changes"] == {"stacking_cap_months": [18, 24], "checks_location": [True, False]}
    assert "Jane" not in str(event.details)
    assert AuditPersonal.objects.get(pk=event.pk).text == f"name: “{program.name}” → “Jane Doe’s”"


def test_a_code_in_a_text_of_the_catalogue_is_kept_nowhere_in_the_trail():
    card = factories.card()
    retailer = card.batch.retailer
    client, _ = at_the_desk(Role.MANAGER)
    path = f"/admin/redemption/retailer/{retailer.pk}/change/"
    assert client.post(path, posted(client.get(path), {"name": card.text})).status_code == 302
    kept = repr(list(AuditEvent.objects.values())) + repr(list(AuditPersonal.objects.values()))
    assert card.text not in kept
    assert event_of(A.CATALOGUE_CHANGED).details == {"fields": "name"}


def test_nothing_is_told_of_a_form_that_changed_nothing_or_was_refused():
    retailer = factories.retailer()
    client, _ = at_the_desk(Role.MANAGER)
    path = f"/admin/redemption/retailer/{retailer.pk}/change/"
    form = posted(client.get(path), {})
    assert client.post(path, form).status_code == 302
    assert client.post(path, {**form, "name": ""}).status_code == 200
    assert not AuditEvent.objects.filter(action=A.CATALOGUE_CHANGED).exists()


def test_every_button_of_a_batch_is_told_when_it_is_looked_at_and_when_it_is_pressed():
    batch = factories.batch(status=BatchStatus.ISSUED, expires_on=timezone.now().date() + timedelta(30))
    client, manager = at_the_desk(Role.MANAGER)
    later = timezone.now().date() + timedelta(99)
    pressed = {
        "activate": {},
        "freeze": {"reason": "stolen by Jane"},
        "thaw": {"reason": "found by Jane"},
        "extend": {"expires_on": str(later)},
        "close": {"reason": "sold out"},
    }
    for name, form in pressed.items():
        path = f"/admin/redemption/batch/{batch.pk}/do/{name}/"
        assert client.get(path).status_code == 200
        assert client.post(path, form).status_code == 302
    told = list(AuditEvent.objects.order_by("pk").values_list("action", "actor_id", "target", "details"))
    of = (manager.pk, f"batch:{batch.pk}")
    details = {"activate": {"with_cards": 0}, "extend": {"expires_on": later.isoformat()}}
    assert told == [
        event
        for name in pressed
        for event in (
            (A.RECORD_OPENED, *of, {}),
            (A.CATALOGUE_CHANGED, *of, {"did": name, **details.get(name, {})}),
        )
    ]
    # These two need a printer; they go through the same view.
    assert set(BATCH_ACTIONS) - set(pressed) == {"issue", "destroy-print-file"}


def test_what_a_batch_refuses_is_not_told_as_done():
    batch = factories.batch(status=BatchStatus.ACTIVE)
    client, _ = at_the_desk(Role.MANAGER)
    client.post(f"/admin/redemption/batch/{batch.pk}/do/extend/", {"expires_on": "2001-01-01"})
    assert not AuditEvent.objects.filter(action=A.CATALOGUE_CHANGED).exists()


def test_a_card_that_is_frozen_from_its_page_is_told():
    card = factories.card()
    client, agent = at_the_desk(Role.AGENT)
    client.post(f"/codes/{card.serial}/do/freeze/", {"reason": "reported stolen"})
    event = event_of(A.CARD_CHANGED)
    assert (event.actor_id, event.target) == (agent.pk, f"code:{card.serial}")
    assert event.details == {"change": "freeze", "changed": 1}


def test_a_search_in_a_list_is_told_without_what_was_typed():
    card = factories.card()
    client, manager = at_the_desk(Role.ADMINISTRATOR)
    client.get("/admin/redemption/user/", {"q": "Jane Doe"})
    event = event_of(A.ROWS_LISTED)
    assert (event.actor_id, event.target, event.details.get("searched")) == (manager.pk, "list:user", 1)
    client.get("/admin/redemption/batch/", {"q": card.batch.reference})
    assert AuditEvent.objects.filter(details__contains={"also": [f"batch:{card.batch.pk}"]}).count() == 1
    kept = repr(list(AuditEvent.objects.values())) + repr(list(AuditPersonal.objects.values()))
    assert "Jane" not in kept


def test_telling_before_anybody_records_is_an_error(monkeypatch):
    monkeypatch.setattr(trail, "_recorder", None)
    with pytest.raises(trail.NobodyRecordsError):
        trail.tell("record_opened", by=factories.user())


def test_the_words_of_the_domain_are_actions_of_the_trail():
    """The domain names actions without the desk's enum."""
    from pathlib import Path

    from django.conf import settings

    told = set()
    for path in (Path(settings.BASE_DIR) / "redemption").rglob("*.py"):
        told |= set(re.findall(r'(?:trail\.tell|doing)\(\s*(?:request, )?"([a-z_]+)"', path.read_text()))
    assert told
    assert told <= set(AuditAction.values)
