"""Those who sign in to work here. Each change, link and reset leaves an audit event."""

from typing import Any

from allauth.account.forms import ResetPasswordForm
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesCheckboxFilter

from redemption.admin.base import DeskModelAdmin, WithoutHistory
from redemption.models import User
from redemption.requests import StaffRequest
from redemption.roles import Permission, Role
from support import audit
from support.models import AuditAction
from support.sign_in import end_sessions

# Customers are found as accounts; the system signs in nowhere.
ROLES = [role for role in Role if role not in {Role.CUSTOMER, Role.SYSTEM}]


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean_role(self) -> str:
        role: str = self.cleaned_data["role"]
        if role not in ROLES:
            raise forms.ValidationError("Nobody is made that here.")
        return role


@admin.register(User)
class PersonAdmin(WithoutHistory, DeskModelAdmin):
    view_permission = Permission.MANAGE_STAFF
    change_permission = Permission.MANAGE_STAFF
    tells_changes = False
    form = PersonForm
    list_display = ["email", "name", "role", "is_active", "second_factor", "last_login"]
    list_filter = [("role", ChoicesCheckboxFilter), ("is_active", BooleanRadioFilter)]
    search_fields = ["email", "name"]
    search_help_text = "Name or e-mail address"
    ordering = ["email"]
    change_form_outer_before_template = "support/admin/person_panel.html"
    fieldsets = [
        (
            None,
            {
                "fields": ["email", "name", "role", "is_active"],
                "description": "Nobody types another person's password: a link to set one goes out by mail.",
            },
        ),
    ]

    def get_queryset(self, request: StaffRequest) -> QuerySet[User]:
        factors = Authenticator.objects.filter(user_id=OuterRef("pk")).exclude(type=Authenticator.Type.RECOVERY_CODES)
        return super().get_queryset(request).filter(role__in=ROLES).annotate(has_factor=Exists(factors))

    def get_readonly_fields(self, request: StaffRequest, obj: User | None = None) -> list[str]:
        # Who could take his own rights away could leave the house without an administrator.
        return ["role", "is_active"] if obj == request.user else []

    def formfield_for_choice_field(self, db_field: Any, request: StaffRequest, **kwargs: Any) -> Any:
        if db_field.name == "role":
            kwargs["choices"] = [(role.value, role.label) for role in ROLES]
            kwargs["initial"] = Role.AGENT
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def save_model(self, request: StaffRequest, obj: User, form: Any, change: bool) -> None:
        before = form.initial.get("role")
        if not change:
            obj.set_unusable_password()
        obj.save()
        if "email" in form.changed_data:
            # Else the old address would still sign in and get the links.
            EmailAddress.objects.filter(user_id=obj.pk).delete()
        role_changed = change and "role" in form.changed_data
        if role_changed:
            audit.record(AuditAction.ROLE_CHANGED, by=request.user, target=f"user:{obj.pk}", old=before, new=obj.role)
        if role_changed or (change and (not obj.is_active or "email" in form.changed_data)):
            end_sessions(obj)
        audit.record(
            AuditAction.STAFF_CHANGED,
            by=request.user,
            target=f"user:{obj.pk}",
            fields=" ".join(form.changed_data),
            role=obj.role,
            is_active=int(obj.is_active),
        )
        if not change:
            transaction.on_commit(lambda: _send_password_link(request, obj))

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/send-password-link/",
                self.admin_site.admin_view(self.send_password_link),
                name="redemption_user_send_password_link",
            ),
            path(
                "<int:pk>/remove-second-factor/",
                self.admin_site.admin_view(self.remove_second_factor),
                name="redemption_user_remove_second_factor",
            ),
            path(
                "<int:pk>/end-sessions/",
                self.admin_site.admin_view(self.end_sessions),
                name="redemption_user_end_sessions",
            ),
            *super().get_urls(),
        ]

    def page_context(self, request: StaffRequest, object_id: str | None) -> dict[str, Any]:
        """Where the person is signed in."""
        if object_id is None or not object_id.isdecimal():
            return {}
        known = list(UserSession.objects.filter(user_id=int(object_id), user__role__in=ROLES).order_by("-created_at"))
        kept = Session.objects.filter(
            session_key__in=[one.session_key for one in known], expire_date__gt=timezone.now()
        )
        alive = set(kept.values_list("session_key", flat=True))
        return {"sessions": [one for one in known if one.session_key in alive]}

    def end_sessions(self, request: StaffRequest, pk: int) -> HttpResponse:
        """All of a person's: for a lost machine, or somebody who has left in anger."""
        person = self._posted_for(request, pk)
        with transaction.atomic():
            end_sessions(person)
            audit.record(AuditAction.STAFF_CHANGED, by=request.user, target=f"user:{person.pk}", did="ended_sessions")
        messages.success(request, f"{person} is signed out everywhere.")
        if person == request.user:
            return redirect("account_login")
        return redirect("admin:redemption_user_change", pk)

    def send_password_link(self, request: StaffRequest, pk: int) -> HttpResponse:
        person = self._posted_for(request, pk)
        with transaction.atomic():
            audit.record(
                AuditAction.STAFF_CHANGED, by=request.user, target=f"user:{person.pk}", did="sent_password_link"
            )
        _send_password_link(request, person)
        return redirect("admin:redemption_user_change", pk)

    def remove_second_factor(self, request: StaffRequest, pk: int) -> HttpResponse:
        """For a lost telephone: the next sign-in sets a new factor up. Sessions end, because one may be the thief's."""
        person = self._posted_for(request, pk)
        with transaction.atomic():
            Authenticator.objects.filter(user_id=person.pk).delete()
            audit.record(
                AuditAction.STAFF_CHANGED, by=request.user, target=f"user:{person.pk}", did="removed_second_factor"
            )
        end_sessions(person)
        messages.success(request, f"{person} is asked for a new second factor at the next sign-in.")
        return redirect("admin:redemption_user_change", pk)

    def _posted_for(self, request: StaffRequest, pk: int) -> User:
        if request.method != "POST" or not self.has_change_permission(request):
            raise Http404
        return get_object_or_404(self.get_queryset(request), pk=pk)

    @admin.display(description="Second factor", boolean=True)
    def second_factor(self, person: User) -> bool:
        return bool(getattr(person, "has_factor", False))


def _send_password_link(request: StaffRequest, person: User) -> None:
    form = ResetPasswordForm({"email": person.email})
    if person.is_active and form.is_valid():
        form.save(request)
        messages.success(request, f"A link to set a password is on its way to {person.email}.")
    else:
        messages.warning(request, f"{person} is not active, and gets no link.")
