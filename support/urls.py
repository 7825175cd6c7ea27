"""The desk's pages. Addresses hold serial numbers and references only: neither is a secret."""

from django.urls import path

from support.views.account import account
from support.views.attempt import attempt
from support.views.code import act, code, diagnose_account
from support.views.lookup import lookup
from support.views.ticket import ticket
from support.views.ticket_writing import write

urlpatterns = [
    path("", lookup, name="desk"),
    path("codes/<int:serial>/", code, name="code"),
    path("codes/<int:serial>/diagnose/", diagnose_account, name="diagnose"),
    path("codes/<int:serial>/do/<str:verb>/", act, name="act"),
    path("customers/<str:reference>/", account, name="account"),
    path("attempts/<str:reference>/", attempt, name="attempt"),
    path("tickets/<str:reference>/", ticket, name="ticket"),
    path("tickets/<str:reference>/write/<str:kind>/", write, name="write"),
]
