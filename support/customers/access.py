"""Whose account and whose request it is. What is somebody else's does not exist.

A request is read by who asked: who wrote it here while signed in, or by mail from an address that is proved to be his.
An account that an agent put on a ticket proves nothing: the ticket may be a stranger's question about it.
"""

from typing import Any

from allauth.account.models import EmailAddress
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from redemption.models import Account, User
from redemption.requests import StaffRequest
from support.models import Message, MessageKind, Ticket, TicketChannel
from support.references import read_reference


def accounts_of(user: User) -> list[Account]:
    return list(user.accounts.select_related("program").order_by("program__name", "pk"))


def chosen_account(request: HttpRequest, accounts: list[Account]) -> Account | None:
    """The one that the address names, or the first; None for who has none at all."""
    if (text := request.GET.get("account")) is None:
        return accounts[0] if accounts else None
    reference = read_reference(text)
    for account in accounts:
        if account.reference == reference:
            return account
    raise Http404


def addresses_of(user: User, accounts: list[Account]) -> list[str]:
    """Those that are proved to be his, in lower case."""
    proved = EmailAddress.objects.filter(user_id=user.pk, verified=True).values_list(Lower("email"), flat=True)
    of_accounts = [account.email.lower() for account in accounts if account.email_verified]
    return sorted({*proved, *of_accounts})


def requests_of(user: User, accounts: list[Account], *, before: int | None = None, most: int) -> list[Ticket]:
    """The newest first, or those before one. Each way on an index of its own, where one OR would read all tickets."""
    open_to_him = _readable()
    if before is not None:
        open_to_him = open_to_him.filter(pk__lt=before)
    newest = [one.order_by("-pk")[:most] for one in _ways(open_to_him, user, accounts)]
    rows = {ticket.pk: ticket for tickets in newest for ticket in tickets}
    return sorted(rows.values(), key=lambda ticket: -ticket.pk)[:most]


def request_of(user: User, reference: str) -> Ticket:
    """By its reference, however it is spelled; 404 for a stranger's as for none."""
    named = _readable().filter(reference=read_reference(reference))
    for way in _ways(named, user, accounts_of(user)):
        if found := way.first():
            return found
    raise Http404


def is_readable(user: User, ticket: Ticket) -> bool:
    same = _readable().filter(pk=ticket.pk)
    return any(way.exists() for way in _ways(same, user, accounts_of(user)))


def parts_of(user: User, ticket: Ticket) -> list[Ticket]:
    """His requests that were merged into this one: its thread shows them too."""
    merged = _readable().filter(merged_into=ticket)
    found = {part.pk: part for way in _ways(merged, user, accounts_of(user)) for part in way}
    return [found[pk] for pk in sorted(found)]


def _readable() -> "QuerySet[Ticket]":
    """Retailers' reports have pages of their own, behind a wall; what was asked in public is answered there."""
    closed = (TicketChannel.RETAILER, TicketChannel.SOCIAL)
    found = Ticket.objects.exclude(channel__in=closed).filter(report=None)
    return found.select_related("account__program", "merged_into")


def _ways(tickets: "QuerySet[Ticket]", user: User, accounts: list[Account]) -> "list[QuerySet[Ticket]]":
    written = Message.objects.filter(author=user, kind=MessageKind.CUSTOMER).values("ticket")
    ways = [tickets.filter(pk__in=written)]
    if addresses := addresses_of(user, accounts):
        ways.append(tickets.alias(lower_email=Lower("requester_email")).filter(lower_email__in=addresses))
    return ways


def page(request: StaffRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Kept by no browser or proxy."""
    response = render(request, template, context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response
