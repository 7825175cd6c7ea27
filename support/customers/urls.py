"""The customers' own pages. Addresses hold references only: they are no secrets."""

from django.urls import path

from support.customers.views.account import customer_account, customer_statement
from support.customers.views.contact import contact_support
from support.customers.views.files import customer_picture, customer_small_picture
from support.customers.views.requests import customer_request, customer_requests, customer_write
from support.customers.views.sign_in import end_all_sessions, send_verification
from support.customers.views.start import start_account

urlpatterns = [
    path("", customer_account, name="customer_account"),
    path("start/", start_account, name="start_account"),
    path("statement/", customer_statement, name="customer_statement"),
    path("email/", send_verification, name="send_verification"),
    path("sessions/end/", end_all_sessions, name="end_all_sessions"),
    path("requests/", customer_requests, name="customer_requests"),
    path("requests/new/", contact_support, name="contact_support"),
    path("requests/<str:reference>/", customer_request, name="customer_request"),
    path("requests/<str:reference>/write/", customer_write, name="customer_write"),
    path("requests/<str:reference>/files/<int:attachment>/<int:page>/", customer_picture, name="customer_picture"),
    path(
        "requests/<str:reference>/files/<int:attachment>/<int:page>/small/",
        customer_small_picture,
        name="customer_small_picture",
    ),
]
