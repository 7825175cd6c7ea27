"""The customers' own pages. Addresses hold references only: they are no secrets."""

from django.urls import path

from support.customers.views.account import customer_account, customer_statement, end_all_sessions, send_verification
from support.customers.views.requests import contact_support, customer_request, customer_requests, customer_write

urlpatterns = [
    path("", customer_account, name="customer_account"),
    path("statement/", customer_statement, name="customer_statement"),
    path("email/", send_verification, name="send_verification"),
    path("sessions/end/", end_all_sessions, name="end_all_sessions"),
    path("requests/", customer_requests, name="customer_requests"),
    path("requests/new/", contact_support, name="contact_support"),
    path("requests/<str:reference>/", customer_request, name="customer_request"),
    path("requests/<str:reference>/write/", customer_write, name="customer_write"),
]
