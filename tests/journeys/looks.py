"""What can be seen of a page without eyes: nothing sticks out, nothing lies on something else, all can be read."""

from pathlib import Path
from typing import Any

from tests.journeys.visit import Visit

WIDTHS = (1300, 400)
SCHEMES = ("light", "dark")

_PROBLEMS = Path(__file__).with_suffix(".js").read_text()


def problems(visit: Visit, name: str, folder: Path | None = None) -> list[str]:
    """Of the page in front, at both widths, in light and dark; pictures of it all go into the folder."""
    page, found = visit.page, []
    for scheme in SCHEMES:
        for width in WIDTHS:
            _show(page, width, scheme)
            found += [f"{name}, {width}, {scheme}: {problem}" for problem in page.evaluate(_PROBLEMS)]
            if folder:
                page.screenshot(path=folder / f"{name.replace(' ', '-')}-{width}-{scheme}.png", full_page=True)
    _show(page, WIDTHS[0], SCHEMES[0])
    return found


def _show(page: Any, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    # The theme asks for the machine's scheme when it starts; its menu, like this, sets the class.
    page.evaluate(
        "scheme => { const root = document.documentElement;"
        " if (root.matches('[x-data]')) root.classList.toggle('dark', scheme === 'dark');"
        " return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))) }",
        scheme,
    )
