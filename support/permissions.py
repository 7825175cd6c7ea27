"""Closed by default: a page names the permission that opens it, and does not exist for anybody else."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.http import Http404, HttpResponseBase

from redemption.requests import StaffRequest
from redemption.roles import Permission

_Response = TypeVar("_Response", bound=HttpResponseBase)


def requires(permission: Permission) -> Callable[[Callable[..., _Response]], Callable[..., _Response]]:
    def protect(view: Callable[..., _Response]) -> Callable[..., _Response]:
        @wraps(view)
        def protected(request: StaffRequest, *args: Any, **kwargs: Any) -> _Response:
            if not request.user.is_authenticated or not request.user.may(permission):
                raise Http404
            return view(request, *args, **kwargs)

        return protected

    return protect
