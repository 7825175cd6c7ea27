"""A desk page: the admin's look around a template, kept by no browser or proxy, because customers' data is on it."""

from typing import Any

from django.contrib import admin
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from redemption.models import Account, Attempt, Batch, Code
from redemption.references import SignedReference, sign
from redemption.requests import StaffRequest
from support.models import Ticket
from support.search import Record


def page(
    request: StaffRequest, template: str, context: dict[str, Any], *, title: str, status: int = 200
) -> HttpResponse:
    response = render(request, template, {**admin.site.each_context(request), "title": title, **context}, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def see_other(address: str) -> HttpResponse:
    """After a post, the page to read: the browser asks for it anew and keeps nothing of what was posted."""
    return HttpResponseRedirect(address, status=303)


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
        case Ticket():
            return reverse("ticket", args=[record.reference])
        case Batch():
            return reverse("admin:redemption_batch_change", args=[record.pk])
