"""Customers' accounts. Every list and every page that was shown leaves an audit event."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_variables
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesCheckboxFilter, RelatedDropdownFilter

from redemption.admin.base import DeskModelAdmin, WithoutHistory, badge
from redemption.code_spotting import CodeSpotter
from redemption.models import Account, Restriction
from redemption.money import format_minor
from redemption.requests import StaffRequest
from redemption.roles import Permission
from support import audit
from support.models import AuditAction
from support.references import read_reference

MOST_SHOWN = 20


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        program = data.get("program") or (self.instance.program if self.instance.program_id else None)
        day = data.get("renews_on")
        # Months of the past would be billed, one by one, within the hour.
        if program and day and "renews_on" in self.changed_data and day < program.today():
            self.add_error("renews_on", "The next month begins today or later.")
        return data

    def _get_validation_exclusions(self) -> set[str]:
        # The program cannot change, yet “one account per program and e-mail” is to be checked with it.
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"program"}


@admin.register(Account)
class AccountAdmin(WithoutHistory, DeskModelAdmin):
    view_permission = Permission.VIEW_ACCOUNTS
    change_permission = Permission.MANAGE_ACCOUNTS
    tells_changes = False
    form = AccountForm
    list_display = [
        "who",
        "program",
        "country",
        "plan",
        "billing_provider",
        "standing",
        "email_verified",
        "premium_until",
    ]
    list_select_related = ["program"]
    list_filter = [
        ("program", RelatedDropdownFilter),
        ("plan", ChoicesCheckboxFilter),
        ("billing_provider", ChoicesCheckboxFilter),
        ("restriction", ChoicesCheckboxFilter),
        ("email_verified", BooleanRadioFilter),
        "country",
    ]
    search_fields = ["reference"]
    search_help_text = "A whole e-mail address, or a reference such as AC-…"
    autocomplete_fields = ["program"]
    ordering = ["-pk"]
    change_form_outer_before_template = "support/admin/account_panel.html"
    fieldsets = [
        (None, {"fields": ["reference", "program", "email", "email_verified", "user"]}),
        (
            "Where and how it pays",
            {
                "fields": [
                    "country",
                    "last_seen_country",
                    "currency",
                    "billing_provider",
                    "renews_on",
                    "has_payment_method",
                ]
            },
        ),
        ("What it may redeem", {"fields": ["plan", "had_premium", "restriction", "premium_until"]}),
    ]

    def get_readonly_fields(self, request: StaffRequest, obj: Account | None = None) -> list[str]:
        return ["reference", "user", "premium_until", *(["program"] if obj else [])]

    def get_autocomplete_fields(self, request: StaffRequest) -> list[str]:
        return self.autocomplete_fields

    def get_queryset(self, request: StaffRequest) -> QuerySet[Account]:
        return super().get_queryset(request).select_related("program", "user")

    def get_search_results(
        self, request: StaffRequest, queryset: QuerySet[Account], search_term: str
    ) -> tuple[QuerySet[Account], bool]:
        """Whole words only: both have an index, and nobody leafs through customers by “gmail”."""
        text = search_term.strip()
        if not text:
            return queryset, False
        if "@" in text:
            return queryset.alias(lower_email=Lower("email")).filter(lower_email=text.lower()), False
        return queryset.filter(reference=text.upper()), False

    @sensitive_variables("searched")
    def tell_listed(self, request: StaffRequest, rows: list[Any], searched: str) -> None:
        audit.record(
            AuditAction.ACCOUNTS_LISTED,
            by=request.user,
            personal=_whom(searched),
            also=[f"account:{account.pk}" for account in rows],
        )

    def tell_opened(self, request: StaffRequest, row: Any) -> None:
        audit.record(AuditAction.ACCOUNT_OPENED, by=request.user, target=f"account:{row.pk}")

    def page_context(self, request: StaffRequest, object_id: str | None) -> dict[str, Any]:
        account = self.get_object(request, object_id) if object_id else None
        return _history(account) if account and request.method == "GET" else {}

    def save_model(self, request: StaffRequest, obj: Account, form: Any, change: bool) -> None:
        if change:
            # Only what was changed: a redemption may have moved the account on since the form was read.
            obj.save(update_fields=form.changed_data)
        else:
            obj.save()
        audit.record(
            AuditAction.ACCOUNT_CHANGED,
            by=request.user,
            target=f"account:{obj.pk}",
            fields=" ".join(form.changed_data),
        )

    @admin.display(description="Account", ordering="pk")
    def who(self, account: Account) -> str:
        return format_html("{}<br>{}", account.reference, account.email)

    @admin.display(description="Restriction", ordering="restriction")
    def standing(self, account: Account) -> str:
        text = account.get_restriction_display()
        return text if account.restriction == Restriction.NONE else badge(text, "danger")


def _whom(text: str) -> str:
    """What a search may be kept as: an e-mail address or a reference. Anything else could be a code."""
    if reference := read_reference(text):
        return reference
    try:
        validate_email(text)
    except ValidationError:
        return ""
    return "" if CodeSpotter().holds_code([text]) else text


def _history(account: Account) -> dict[str, Any]:
    redemptions = account.redemptions.select_related("batch__product").order_by("-pk")[:MOST_SHOWN]
    return {
        "account": account,
        "wallets": [format_minor(wallet.balance, wallet.currency) for wallet in account.wallets.order_by("currency")],
        "redemptions": redemptions,
        "attempts": account.attempts.order_by("-pk")[:MOST_SHOWN],
    }
