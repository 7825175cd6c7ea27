"""`{% seal_alarm as alarm %}`: what is wrong with sealing, in sentences, and in the log; empty if nothing is."""

from django import template

from support.sealing import raise_alarm, standing

register = template.Library()


@register.simple_tag
def seal_alarm() -> str:
    now = standing()
    raise_alarm(now)
    return now.alarm
