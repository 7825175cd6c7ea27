"""Requests as views see them."""

from django.http import HttpRequest

from redemption.models import User


class StaffRequest(HttpRequest):
    """A request of somebody who has signed in: no page is open to anybody else."""

    user: User
