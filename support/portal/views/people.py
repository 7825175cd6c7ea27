"""A retailer's people: its managers invite, change and remove them."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from redemption.models import MemberRole, Retailer, RetailerInvitation, RetailerMember
from support.actions import members
from support.actions.members import MemberError
from support.pages import see_other
from support.portal.access import PortalRequest, page, portal_page

_PAGE = 50


class InvitationForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput({"autocomplete": "off", "inputmode": "email"})
    )
    role = forms.ChoiceField(
        choices=MemberRole,
        initial=MemberRole.CLERK,
        help_text="Clerks report cards. Managers also invite and remove people, and make keys for the tills’ systems.",
    )


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=MemberRole)


class RemovalForm(forms.Form):
    sure = forms.BooleanField(error_messages={"required": "Tick the box to say that you mean it."})


@require_safe
@portal_page
def people(request: PortalRequest) -> HttpResponse:
    return _people(request, request.portal.chosen_managed(request.GET.get("retailer")), InvitationForm())


@require_POST
@portal_page
def invite(request: PortalRequest) -> HttpResponse:
    retailer, form = request.portal.chosen_managed(request.POST.get("retailer")), InvitationForm(request.POST)
    if not form.is_valid():
        return _people(request, retailer, form, status=422)
    email, role = form.cleaned_data["email"], MemberRole(form.cleaned_data["role"])
    try:
        invited = members.invite(retailer=retailer, email=email, role=role, by=request.user)
    except MemberError as refused:
        form.add_error("email", str(refused))
        return _people(request, retailer, form, status=409)
    messages.success(request, f"An invitation is on its way to {invited.email}.")
    return see_other(_address(retailer))


@require_POST
@portal_page
def change_invitation(request: PortalRequest, pk: int, verb: str) -> HttpResponse:
    """Sends it again, or withdraws it."""
    managed = RetailerInvitation.objects.filter(retailer__in=request.portal.managed).select_related("retailer")
    with request.portal.inside():
        invitation = get_object_or_404(managed.only("email", "retailer__name", "retailer__slug"), pk=pk)
    try:
        match verb:
            case "again":
                members.send_again(invitation, by=request.user)
                said = f"The invitation is on its way to {invitation.email} again."
            case "withdraw":
                members.withdraw(invitation, by=request.user)
                said = f"The invitation of {invitation.email} is withdrawn: its link no longer works."
            case _:
                raise Http404
    except MemberError as refused:
        return _people(request, invitation.retailer, InvitationForm(), status=409, refusal=str(refused))
    messages.success(request, said)
    return see_other(_address(invitation.retailer))


@require_http_methods(["GET", "HEAD", "POST"])
@portal_page
def member(request: PortalRequest, pk: int) -> HttpResponse:
    """One member: another role, or out."""
    managed = RetailerMember.objects.filter(retailer__in=request.portal.managed)
    with request.portal.inside():
        found = get_object_or_404(_members(managed), pk=pk)
    if request.method != "POST":
        return _member(request, found, RoleForm(initial={"role": found.role}), RemovalForm())
    is_removal = request.POST.get("do") == "remove"
    role_form = RoleForm({"role": found.role} if is_removal else request.POST)
    removal_form = RemovalForm(request.POST) if is_removal else RemovalForm()
    form = removal_form if is_removal else role_form
    if not form.is_valid():
        return _member(request, found, role_form, removal_form, status=422)
    try:
        if is_removal:
            members.remove(found, by=request.user)
            messages.success(request, f"{found.user} is no member of {found.retailer} any more.")
        else:
            members.change_role(found, role=MemberRole(form.cleaned_data["role"]), by=request.user)
    except MemberError as refused:
        form.add_error(None, str(refused))
        return _member(request, found, role_form, removal_form, status=409)
    # Who has removed or demoted himself may have no such page any more.
    is_still_manager = members.is_managed_by(found.retailer, request.user)
    return see_other(_address(found.retailer) if is_still_manager else "/")


def _address(retailer: Retailer) -> str:
    return reverse("portal_people", query={"retailer": retailer.slug})


def _members(rows: Any) -> Any:
    """With the columns that the portal may read."""
    return rows.select_related("user", "retailer").only(
        "role", "since", "user__name", "user__email", "retailer__name", "retailer__slug"
    )


def _people(
    request: PortalRequest, retailer: Retailer, form: InvitationForm, *, status: int = 200, refusal: str = ""
) -> HttpResponse:
    with request.portal.inside():
        rows = _members(retailer.members.order_by("user__name", "user__email", "pk"))
        invitations = retailer.invitations.filter(accepted_at=None, withdrawn_at=None).order_by("-pk")
        context = {
            "retailer": retailer,
            "form": form,
            "refusal": refusal,
            "members": Paginator(rows, _PAGE).get_page(request.GET.get("page")),
            # Their number is limited.
            "invitations": list(invitations.only("retailer", "email", "role", "expires_at")),
            "now": timezone.now(),
        }
        return page(request, "portal/people.html", context, title="People", status=status)


def _member(
    request: PortalRequest, found: RetailerMember, role_form: RoleForm, removal_form: RemovalForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "member": found,
        "role_form": role_form,
        "removal_form": removal_form,
        "is_oneself": found.user_id == request.user.pk,
        "back": _address(found.retailer),
    }
    return page(request, "portal/member.html", context, title=str(found.user), status=status)
