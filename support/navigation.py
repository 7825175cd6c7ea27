"""The sidebar, and the links under one's own name: what each person may open."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils import timezone

from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import report_list, waiting

_P = Permission
_CATALOGUE = [
    ("Batches", "inventory_2", "admin:redemption_batch_changelist", _P.VIEW_CATALOGUE),
    ("Products", "sell", "admin:redemption_product_changelist", _P.VIEW_CATALOGUE),
    ("Programs", "apps", "admin:redemption_program_changelist", _P.VIEW_CATALOGUE),
    ("Retailers", "storefront", "admin:redemption_retailer_changelist", _P.VIEW_CATALOGUE),
    ("Retailers’ keys", "vpn_key", "admin:redemption_apikey_changelist", _P.VIEW_CATALOGUE),
]
_DESK = [
    ("Tickets", "confirmation_number", "tickets", _P.VIEW_TICKETS),
    ("Compromised cards", "gpp_maybe", "compromised", _P.VIEW_COMPROMISED),
    ("Signs", "crisis_alert", "signs", _P.VIEW_COMPROMISED),
    ("Approvals", "approval_delegation", "approvals", _P.VIEW_ACCOUNTS),
    ("Look-up", "search", "/", _P.LOOK_UP),
    ("Accounts", "person_search", "admin:redemption_account_changelist", _P.VIEW_ACCOUNTS),
]
_CREDITS = [
    ("Overview", "monitoring", "credits", _P.VIEW_REPORTS),
    ("All credits", "receipt_long", "credit_list", _P.VIEW_REPORTS),
    ("Liability", "account_balance", "liability", _P.VIEW_REPORTS),
    ("Failures", "error", "failures", _P.VIEW_REPORTS),
    ("Signals", "flag", "signals", _P.VIEW_REPORTS),
    ("Limits", "tune", "credit_policy", _P.VIEW_REPORTS),
    ("Exports", "download", "exports", _P.EXPORT),
]
_HOUSE = [
    ("Outages", "power_off", "outages", _P.SWITCH_REDEEMING),
    ("Known errors", "rule", "admin:support_knownerror_changelist", _P.MANAGE_DESK),
    ("Macros", "quick_phrases", "admin:support_macro_changelist", _P.MANAGE_DESK),
    ("Opening hours", "schedule", "admin:support_openinghours_changelist", _P.MANAGE_DESK),
    ("Holidays", "event_busy", "admin:support_holiday_changelist", _P.MANAGE_DESK),
    ("Targets", "timer", "admin:support_target_changelist", _P.MANAGE_DESK),
    ("Reasons for credits", "category", "admin:support_creditreason_changelist", _P.MANAGE_CREDITS),
    ("Platforms’ keys", "vpn_key", "platform_keys", _P.MANAGE_INTERFACES),
    ("Webhooks", "webhook", "webhooks", _P.MANAGE_INTERFACES),
    ("People", "group", "admin:redemption_user_changelist", _P.MANAGE_STAFF),
    ("Audit trail", "policy", "audit", _P.VIEW_AUDIT),
    ("Seals", "verified", "seals", _P.VIEW_AUDIT),
]
# Beside a link; more is many.
_MOST_COUNTED, _KEPT = 99, "counted_beside_links"
_GROUPS = [("Desk", _DESK), ("Credits", _CREDITS), ("Catalogue", _CATALOGUE), ("House", _HOUSE)]


def sidebar(request: StaffRequest) -> list[dict[str, Any]]:
    """Unfold's navigation: groups of links, without what this person may not open."""
    return [
        {
            "title": title,
            "items": [
                {
                    "title": name,
                    "icon": icon,
                    "link": resolve_url(page),
                    "active": _is_open(request, resolve_url(page)),
                    "badge": _badge(request, page),
                }
                for name, icon, page, permission in links
                if request.user.may(permission)
            ],
        }
        for title, links in _GROUPS
    ]


def _badge(request: StaffRequest, page: str) -> int | str | None:
    """How much waits there for this person, counted once for a page, which has its links in two places."""
    match page:
        case "approvals" if request.user.may(Permission.APPROVE):
            return _counted(
                request, page, lambda: waiting.how_many(request.user, now=timezone.now(), most=_MOST_COUNTED)
            )
        case "compromised":
            return _counted(request, page, lambda: report_list.how_many_wait(_MOST_COUNTED))
    return None


def _counted(request: StaffRequest, page: str, count: Callable[[], int]) -> int | str:
    kept = vars(request).setdefault(_KEPT, {})
    if page not in kept:
        found = count()
        kept[page] = found if found <= _MOST_COUNTED else f"{_MOST_COUNTED}+"
    shown: int | str = kept[page]
    return shown


def _is_open(request: HttpRequest, link: str) -> bool:
    # Other links of the sidebar lie below these.
    is_whole = link in {"/", reverse("credits"), reverse("audit")}
    if link == reverse("compromised") and request.path.startswith(reverse("signs")):
        return False
    return request.path == link if is_whole else request.path.startswith(link)


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    return [
        {"title": "Password", "link": reverse("account_change_password")},
        {"title": "Second factor", "link": reverse("mfa_index")},
        {"title": "Sessions", "link": reverse("usersessions_list")},
    ]
