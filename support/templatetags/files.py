"""How large a small picture is, so that the page does not jump while they come."""

from django import template

from support.models import AttachmentPage

register = template.Library()

_MOST = (112, 144)


def _scale(page: AttachmentPage) -> float:
    return min(_MOST[0] / page.width, _MOST[1] / page.height)


@register.filter
def small_width(page: AttachmentPage) -> int:
    return max(24, round(page.width * _scale(page)))


@register.filter
def small_height(page: AttachmentPage) -> int:
    return max(24, round(page.height * _scale(page)))
