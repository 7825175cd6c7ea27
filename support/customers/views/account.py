"""A customer's accounts at a glance."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from redemption.requests import StaffRequest


@cache_control(no_store=True)
@require_safe
def customer_account(request: StaffRequest) -> HttpResponse:
    return render(request, "customers/account.html", {})


@cache_control(no_store=True)
@require_safe
def customer_statement(request: StaffRequest) -> HttpResponse:
    return render(request, "customers/account.html", {})


@require_POST
def send_verification(request: StaffRequest) -> HttpResponse:
    return render(request, "customers/account.html", {})


@require_POST
def end_all_sessions(request: StaffRequest) -> HttpResponse:
    return render(request, "customers/account.html", {})
