"""The pages behind a batch's buttons. Each asks first, makes one call, and says in a sentence what came of it."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.response import TemplateResponse

from redemption import trail
from redemption.admin.batch_actions import ACTIONS
from redemption.admin.batch_panel import is_under_way
from redemption.admin.telling import doing, target_of
from redemption.batches import BatchError
from redemption.cards import CardError
from redemption.issuing import IssuingError
from redemption.models import Batch
from redemption.print_files import PrintFileError, open_for_download
from redemption.requests import StaffRequest
from redemption.roles import Permission

REFUSALS = (BatchError, CardError, IssuingError, PrintFileError)


def act(model_admin: Any, request: StaffRequest, *, pk: int, name: str) -> HttpResponseBase:
    batch = get_object_or_404(Batch.objects.select_related("product__program"), pk=pk)
    action = ACTIONS.get(name)
    if action is None or not request.user.may(action.permission):
        raise Http404
    if not action.is_open_to(request.user, batch):
        messages.warning(request, f"“{action.label}” is not for a batch that is {batch.get_status_display().lower()}.")
        return redirect("admin:redemption_batch_change", pk)
    form = action.form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            with doing(request, "catalogue_changed", batch, did=action.name, **_told(form)):
                action.run(batch, by=request.user, **form.cleaned_data)
        except REFUSALS as refused:
            form.add_error(None, str(refused))
        else:
            messages.success(request, action.done)
            return redirect("admin:redemption_batch_change", pk)
    trail.tell("record_opened", by=request.user, target=target_of(batch))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"{action.label}: batch {batch}",
        "batch": batch,
        "action": action,
        "form": form,
        "media": model_admin.media + form.media,
    }
    return TemplateResponse(request, "redemption/admin/batch_action.html", context)


def _told(form: forms.Form) -> dict[str, Any]:
    """What was chosen, but for the reason: it stands in the batch's own history."""
    return {
        name: value.isoformat() if isinstance(value, date) else int(value)
        for name, value in form.cleaned_data.items()
        if isinstance(value, date | bool)
    }


def progress(model_admin: Any, request: StaffRequest, *, pk: int) -> HttpResponse:
    """The bar of a job under way, fetched again and again; once the job has ended, the page is loaded anew."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    batch = get_object_or_404(Batch, pk=pk)
    job = batch.jobs.select_related("by").first()
    if job is None or not is_under_way(job):
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "redemption/admin/_progress.html", {"batch": batch, "job": job})


def download_print_file(model_admin: Any, request: StaffRequest, *, pk: int) -> HttpResponseBase:
    if request.method != "POST" or not request.user.may(Permission.FETCH_PRINT_FILES):
        raise Http404
    batch = get_object_or_404(Batch.objects.select_related("print_file"), pk=pk, print_file__isnull=False)
    try:
        with doing(request, "print_file_taken", batch):
            file = open_for_download(batch.print_file, by=request.user)
    except PrintFileError as refused:
        messages.error(request, str(refused))
        return redirect("admin:redemption_batch_change", pk)
    return FileResponse(file, as_attachment=True, filename=f"{batch.reference}.csv.age")
