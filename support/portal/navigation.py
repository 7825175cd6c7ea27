"""The portal's links: what each member may open."""

from dataclasses import dataclass

from django.urls import reverse

_EVERYBODY = [
    ("Start", "portal_home"),
    ("Reports", "portal_reports"),
    ("New report", "portal_new_report"),
    ("Batches", "portal_batches"),
]
_MANAGERS = [
    ("People", "portal_people"),
    ("Keys", "portal_keys"),
]


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    address: str
    is_here: bool


def links(path: str, *, manages: bool) -> list[Link]:
    named = _EVERYBODY + (_MANAGERS if manages else [])
    return [
        Link(title, address, path == address) for title, address in ((title, reverse(name)) for title, name in named)
    ]
