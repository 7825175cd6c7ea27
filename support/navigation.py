"""The sidebar, and the links under one's own name: what each person may open."""

from typing import Any

from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import reverse

from redemption.requests import StaffRequest
from redemption.roles import Permission

_P = Permission
_CATALOGUE = [
    ("Batches", "inventory_2", "admin:redemption_batch_changelist", _P.VIEW_CATALOGUE),
    ("Products", "sell", "admin:redemption_product_changelist", _P.VIEW_CATALOGUE),
    ("Programs", "apps", "admin:redemption_program_changelist", _P.VIEW_CATALOGUE),
    ("Retailers", "storefront", "admin:redemption_retailer_changelist", _P.VIEW_CATALOGUE),
]
_DESK = [
    ("Tickets", "confirmation_number", "tickets", _P.VIEW_TICKETS),
    ("Look-up", "search", "/", _P.LOOK_UP),
    ("Accounts", "person_search", "admin:redemption_account_changelist", _P.VIEW_ACCOUNTS),
]
_CREDITS = [
    ("Exports", "download", "exports", _P.EXPORT),
]
_HOUSE = [
    ("Known errors", "rule", "admin:support_knownerror_changelist", _P.MANAGE_DESK),
    ("Macros", "quick_phrases", "admin:support_macro_changelist", _P.MANAGE_DESK),
    ("Opening hours", "schedule", "admin:support_openinghours_changelist", _P.MANAGE_DESK),
    ("Holidays", "event_busy", "admin:support_holiday_changelist", _P.MANAGE_DESK),
    ("Targets", "timer", "admin:support_target_changelist", _P.MANAGE_DESK),
    ("People", "group", "admin:redemption_user_changelist", _P.MANAGE_STAFF),
    ("Audit trail", "policy", "audit", _P.VIEW_AUDIT),
]
_GROUPS = [("Desk", _DESK), ("Credits", _CREDITS), ("Catalogue", _CATALOGUE), ("House", _HOUSE)]


def sidebar(request: StaffRequest) -> list[dict[str, Any]]:
    """Unfold's navigation: groups of links, without what this person may not open."""
    return [
        {
            "title": title,
            "items": [
                {"title": name, "icon": icon, "link": resolve_url(page), "active": _is_open(request, resolve_url(page))}
                for name, icon, page, permission in links
                if request.user.may(permission)
            ],
        }
        for title, links in _GROUPS
    ]


def _is_open(request: HttpRequest, link: str) -> bool:
    return request.path == link if link == "/" else request.path.startswith(link)


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    return [
        {"title": "Password", "link": reverse("account_change_password")},
        {"title": "Second factor", "link": reverse("mfa_index")},
        {"title": "Sessions", "link": reverse("usersessions_list")},
    ]
