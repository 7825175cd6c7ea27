"""What a customer asked support, and what was answered."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from redemption.requests import StaffRequest


@cache_control(no_store=True)
@require_safe
def customer_requests(request: StaffRequest) -> HttpResponse:
    return render(request, "customers/account.html", {})


@cache_control(no_store=True)
@require_http_methods(["GET", "HEAD", "POST"])
def contact_support(request: StaffRequest) -> HttpResponse:
    return render(request, "customers/account.html", {})


@cache_control(no_store=True)
@require_safe
def customer_request(request: StaffRequest, reference: str) -> HttpResponse:
    raise Http404


@require_POST
def customer_write(request: StaffRequest, reference: str) -> HttpResponse:
    raise Http404
