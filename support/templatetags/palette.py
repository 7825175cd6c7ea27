"""`{% palette %}`: the box over any page, that Ctrl/⌘+K opens, for those who look things up."""

from typing import Any

from django import template
from django.template import Context

from redemption.models import User
from redemption.roles import Permission
from support.navigation import sidebar

register = template.Library()


@register.inclusion_tag("components/palette.html", takes_context=True)
def palette(context: Context) -> dict[str, Any]:
    request: Any = context.get("request")
    user = getattr(request, "user", None)
    if not isinstance(user, User) or not user.may(Permission.LOOK_UP):
        return {"pages": None}
    return {"pages": [page for group in sidebar(request) for page in group["items"]]}
