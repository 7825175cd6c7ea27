"""Who opens the portal, for which retailers, and what a page of it may read.

A page that is read runs within the wall: the database shows it the rows of its retailers and no others. What is posted
runs as the application, which passes the retailer on to the domain; what it reads besides, it reads within
`request.portal.inside()`.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render

from redemption import portal_wall
from redemption.models import MemberRole, Program, Retailer, RetailerMember, User
from redemption.requests import StaffRequest
from support import second_factor
from support.portal import navigation

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Portal:
    """A member, with all the retailers that he belongs to."""

    user: User
    memberships: tuple[RetailerMember, ...]

    @property
    def retailers(self) -> list[Retailer]:
        return [membership.retailer for membership in self.memberships]

    @property
    def managed(self) -> list[Retailer]:
        """Where he may invite people and make keys."""
        return [one.retailer for one in self.memberships if one.role == MemberRole.MANAGER]

    def retailer(self, slug: str) -> Retailer:
        """One of his; what is somebody else's does not exist."""
        return _by_slug(self.retailers, slug)

    def managed_retailer(self, slug: str) -> Retailer:
        return _by_slug(self.managed, slug)

    def chosen_managed(self, slug: str | None) -> Retailer:
        """The first of those that he manages, where none is named; 404 for who manages none."""
        if slug is None and self.managed:
            return self.managed[0]
        return self.managed_retailer(slug or "")

    def inside(self) -> AbstractContextManager[None]:
        return portal_wall.inside([retailer.pk for retailer in self.retailers])


class PortalRequest(StaffRequest):
    portal: Portal


def _by_slug(retailers: list[Retailer], slug: str) -> Retailer:
    for retailer in retailers:
        if retailer.slug == slug:
            return retailer
    raise Http404


def portal_of(user: User) -> Portal | None:
    memberships = RetailerMember.objects.filter(user=user).select_related("retailer").order_by("retailer__name", "pk")
    found = tuple(memberships) if user.is_active and not user.is_staff else ()
    return Portal(user, found) if found else None


def portal_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Opens a view to members, and does not exist for anybody else. Where a program of their cards asks for it, the
    session must have passed a second factor."""

    @wraps(view)
    def opened(request: PortalRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        found = portal_of(request.user) if request.user.is_authenticated else None
        if not found:
            raise Http404
        if _asks_for_second_factor(found) and (challenge := second_factor.demand(request)):
            return challenge
        request.portal = found
        try:
            if request.method not in {"GET", "HEAD"}:
                return view(request, *args, **kwargs)
            with found.inside():
                return view(request, *args, **kwargs)
        except portal_wall.WallError as refused:
            logger.error("%s", refused)
            return render(request, "503.html", status=503)

    return opened


def _asks_for_second_factor(portal: Portal) -> bool:
    strict = Program.objects.filter(retailer_second_factor=True, products__batches__retailer__in=portal.retailers)
    return strict.exists()


def page(
    request: PortalRequest, template: str, context: dict[str, Any], *, title: str, status: int = 200
) -> HttpResponse:
    """Within the wall, also after a post; kept by no browser or proxy."""
    with request.portal.inside():
        shell = {
            "portal": request.portal,
            "links": navigation.links(request.path, manages=bool(request.portal.managed)),
            "title": title,
        }
        response = render(request, template, {**shell, **context}, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response
