"""Closed by default: a page names the permission that opens it, and does not exist for anybody else."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpResponseBase

from redemption.requests import StaffRequest
from redemption.roles import Permission

_View = Callable[..., HttpResponseBase]


def requires(permission: Permission) -> Callable[[_View], _View]:
    def protect(view: _View) -> _View:
        @wraps(view)
        def protected(request: StaffRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated or not request.user.may(permission):
                raise Http404
            return view(request, *args, **kwargs)

        return protected

    return protect
