"""`{{ count|number }}`: “5,426”. `{% seal_alarm as alarm %}`: what is wrong with sealing, in sentences; empty where
nothing is. It is logged as well."""

from django import template

from support.sealing import raise_alarm, standing

register = template.Library()


@register.filter
def number(count: int) -> str:
    return f"{count:,}"


@register.simple_tag
def seal_alarm() -> str:
    now = standing()
    raise_alarm(now)
    return now.alarm
