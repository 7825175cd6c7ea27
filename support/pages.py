"""A desk page: the admin's look around a template, kept by no browser or proxy, because customers' data is on it."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from redemption.models import Account, Attempt, Batch, Code
from redemption.references import SignedReference, sign
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support.models import CompromiseReport, ManualCredit, Ticket
from support.search import Record

# Of a list beside others; `?all=` and its name show more of one.
LATEST, MOST_SHOWN = 20, 500
_NOUNS = {"account": "account", "code": "card", "ticket": "ticket", "credit": "credit", "request": "request",
          "report": "report"}  # fmt: skip
_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Part(Generic[_Row]):
    """A list beside others: its latest rows, or all of them where the address asks for these. Nothing is counted."""

    name: str
    rows: list[_Row]
    has_more: bool


def part(request: HttpRequest, name: str, rows: "QuerySet[_Row]") -> Part[_Row]:
    limit = limit_of(request, name)
    found = list(rows[: limit + 1])
    return Part(name, found[:limit], len(found) > limit)


def limit_of(request: HttpRequest, name: str) -> int:
    return MOST_SHOWN if request.GET.get("all") == name else LATEST


def page(
    request: StaffRequest, template: str, context: dict[str, Any], *, title: str, status: int = 200
) -> HttpResponse:
    """`looked_at` in the context is what the audit trail calls the record that the page shows, such as “account:12”:
    whoever reads the trail is one click from everybody else who looked at it."""
    context = {**admin.site.each_context(request), "title": title, **context}
    if (target := context.get("looked_at")) and request.user.may(Permission.VIEW_AUDIT):
        kind = target.partition(":")[0]
        # A ticket stands in every queue that somebody opens.
        lists = {"lists": "none"} if kind == "ticket" else {}
        context["who_looked"] = {"query": urlencode({"target": target, **lists}, safe=":"), "noun": _NOUNS[kind]}
    response = render(request, template, context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def see_other(address: str) -> HttpResponse:
    """After a post, the page to read: the browser asks for it anew and keeps nothing of what was posted."""
    return HttpResponseRedirect(address, status=303)


def older_than(request: HttpRequest, name: str = "before") -> int | None:
    """Of a list that goes on: rows older than this id. 404 for what can be no id."""
    text = request.GET.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise Http404
    return int(text)


def address_of(record: Record) -> str:
    match record:
        case Code():
            return reverse("code", args=[record.pk])
        case Account():
            return reverse("account", args=[record.reference])
        case Attempt():
            return reverse("attempt", args=[record.reference])
        case SignedReference():
            return reverse("attempt", args=[sign(record.kind, record.account_id, record.at)])
        case ManualCredit():
            return reverse("credit", args=[record.reference])
        case CompromiseReport():
            return reverse("compromise", args=[record.reference])
        case Ticket():
            return reverse("ticket", args=[record.reference])
        case Batch():
            return reverse("admin:redemption_batch_change", args=[record.pk])
