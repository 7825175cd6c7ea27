"""Customers' pages. No address holds a code."""

from django.urls import path

from redemption.views.redeem import redeem_confirm, redeem_page
from redemption.views.redeem_challenge import redeem_challenge

urlpatterns = [
    path("", redeem_page, name="redeem"),
    path("confirm/", redeem_confirm, name="redeem_confirm"),
    path("challenge/", redeem_challenge, name="redeem_challenge"),
]
