"""A retailer's members on its page in the admin: the desk invites the first manager, and removes whom it must."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget

from redemption.admin.retailers import RetailerAdmin
from redemption.models import MemberRole, Retailer
from redemption.requests import StaffRequest
from support.actions import members
from support.actions.members import MemberError

# Of a chain with more, its own managers see all.
_MOST_SHOWN = 200


class InvitationForm(forms.Form):
    email = forms.EmailField(label="E-mail address", max_length=254, widget=UnfoldAdminEmailInputWidget)
    role = forms.ChoiceField(choices=MemberRole, initial=MemberRole.MANAGER, widget=UnfoldAdminSelectWidget)


# The domain's own page, with what it may not know of.
admin.site.unregister(Retailer)


@admin.register(Retailer)
class RetailerWithMembersAdmin(RetailerAdmin):
    change_form_outer_before_template = "support/admin/retailer_panel.html"

    def page_context(self, request: StaffRequest, object_id: str | None) -> dict[str, Any]:
        retailer = self.get_object(request, object_id) if object_id else None
        if not retailer:
            return {}
        open_ones = retailer.invitations.filter(accepted_at=None, withdrawn_at=None)
        return {
            "members": retailer.members.select_related("user").order_by("user__name", "pk")[:_MOST_SHOWN],
            "invitations": open_ones.order_by("-pk"),
            "invitation_form": InvitationForm(),
            "may_manage": self.has_change_permission(request, retailer),
        }

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/invite/", view(self.invite), name="redemption_retailer_invite"),
            path(
                "<int:pk>/invitations/<int:invitation>/<str:verb>/",
                view(self.change_invitation),
                name="redemption_retailer_invitation",
            ),
            path(
                "<int:pk>/members/<int:member>/remove/",
                view(self.remove_member),
                name="redemption_retailer_remove_member",
            ),
            *super().get_urls(),
        ]

    def invite(self, request: StaffRequest, pk: int) -> HttpResponse:
        retailer, form = self._posted_for(request, pk), InvitationForm(request.POST)
        if form.is_valid():
            email, role = form.cleaned_data["email"], MemberRole(form.cleaned_data["role"])
            try:
                invited = members.invite(retailer=retailer, email=email, role=role, by=request.user)
                messages.success(request, f"An invitation is on its way to {invited.email}.")
            except MemberError as refused:
                messages.error(request, str(refused))
        else:
            messages.error(request, "Nobody was invited: that is no e-mail address and role.")
        return redirect("admin:redemption_retailer_change", pk)

    def change_invitation(self, request: StaffRequest, pk: int, invitation: int, verb: str) -> HttpResponse:
        found = get_object_or_404(self._posted_for(request, pk).invitations, pk=invitation)
        try:
            match verb:
                case "again":
                    members.send_again(found, by=request.user)
                    messages.success(request, f"The invitation is on its way to {found.email} again.")
                case "withdraw":
                    members.withdraw(found, by=request.user)
                    messages.success(request, f"The invitation of {found.email} is withdrawn.")
                case _:
                    raise Http404
        except MemberError as refused:
            messages.error(request, str(refused))
        return redirect("admin:redemption_retailer_change", pk)

    def remove_member(self, request: StaffRequest, pk: int, member: int) -> HttpResponse:
        found = get_object_or_404(self._posted_for(request, pk).members.select_related("user"), pk=member)
        try:
            members.remove(found, by=request.user)
            messages.success(request, f"{found.user} is no member any more.")
        except MemberError as refused:
            messages.error(request, str(refused))
        return redirect("admin:redemption_retailer_change", pk)

    def _posted_for(self, request: StaffRequest, pk: int) -> Retailer:
        if request.method != "POST" or not self.has_change_permission(request):
            raise Http404
        return get_object_or_404(Retailer, pk=pk)
