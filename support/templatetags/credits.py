"""`{% credits_stopped %}`: the banner of every page about credits, while all of them are stopped."""

from typing import Any

from django import template
from django.template import Context

from redemption.roles import Permission
from support import policy

register = template.Library()


@register.inclusion_tag("support/_credits_stopped.html", takes_context=True)
def credits_stopped(context: Context) -> dict[str, Any]:
    """One query."""
    request: Any = context.get("request")
    return {"stop": policy.stopped(), "opens_switch": request is not None and request.user.may(Permission.APPROVE)}
