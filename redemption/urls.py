"""Customers' pages. No address holds a code."""

from django.urls import path

from redemption.views.redeem import redeem_page

urlpatterns = [
    path("", redeem_page, name="redeem"),
]
