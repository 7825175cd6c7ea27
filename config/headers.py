"""What every answer tells the browser to refuse: the content-security policies and the headers beside them.

A package would have one policy and exceptions at views. Here the room that answers decides, also for views of other
packages (the admin, the sign-in pages) and for answers that no view has made, which is the whole of this file.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from redemption.api.middleware import PREFIX as INTERFACES

Handler = Callable[[HttpRequest], HttpResponse]


def _policy(**directives: str) -> str:
    return "; ".join(f"{name.replace('_', '-')} {sources}" for name, sources in directives.items())


_NOTHING = {"default_src": "'none'", "base_uri": "'none'", "form_action": "'none'", "frame_ancestors": "'none'"}
_OURS = {"script_src": "'self'", "style_src": "'self'", "img_src": "'self'", "font_src": "'self'"}

# Customers’, retailers’ and sign-in pages, the status page, errors: files of this site, nothing written into a page.
STRICT = _policy(**_NOTHING | _OURS | {"connect_src": "'self'", "form_action": "'self'"})
# Pages in the theme’s shell. Alpine compiles what its attributes say, eval to a browser; the theme writes sizes
# into style attributes, which are less than style elements: those, and scripts within a page, are refused here too.
SHELL = _policy(
    **_NOTHING
    | _OURS
    | {
        "script_src": "'self' 'unsafe-eval'",
        "style_src_attr": "'unsafe-inline'",
        "connect_src": "'self'",
        "form_action": "'self'",
    }
)
# No browser shows an interface's answer; whoever opens one sees text.
DATA = _policy(**_NOTHING)

# Of middleware, as a page of templates/ that stands outside the shell; no view of ours answers so.
_ERROR_PAGES = frozenset({403, 413, 414})

# Passkeys are all that these pages ask of a machine.
_FEATURES = (
    *("accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media"),
    *("fullscreen", "gamepad", "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer"),
    *("microphone", "midi", "payment", "picture-in-picture", "screen-wake-lock", "serial", "usb"),
    "xr-spatial-tracking",
)
PERMISSIONS = ", ".join(
    [
        *(f"{feature}=()" for feature in _FEATURES),
        "publickey-credentials-create=(self)",
        "publickey-credentials-get=(self)",
    ]
)

# Beside those of Django's SecurityMiddleware: nosniff, the referrer policy, the opener policy, HSTS.
ALWAYS = {
    "Permissions-Policy": PERMISSIONS,
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
    # For browsers of before the policy's frame-ancestors; Django's own middleware sees fewer answers.
    "X-Frame-Options": "DENY",
}


class PolicyHeaders:
    """Gives every answer its policy, also those of the middleware behind it. What a view has set itself stays: files
    that customers sent have stricter ones."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """What a view raises becomes an error page; what it answers itself, even with 404, may stand in the shell."""
        request._raised_in_view = True  # type: ignore[attr-defined]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        headers = ALWAYS | {"Content-Security-Policy": policy_of(request, response.status_code)}
        if response.headers.get("Content-Type", "").startswith("text/html"):
            # Everything that a page shows is this site's own.
            headers["Cross-Origin-Embedder-Policy"] = "require-corp"
        if request.resolver_match:
            # Static files, which no view answers, say themselves how long they keep.
            headers["Cache-Control"] = "no-store"
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response


def policy_of(request: HttpRequest, status: int) -> str:
    """Strict for whatever is not known to need more."""
    if request.path_info.startswith(INTERFACES):
        return DATA
    match = request.resolver_match
    if match is None or status in _ERROR_PAGES or hasattr(request, "_raised_in_view"):
        return STRICT
    in_shell = match.namespaces[:1] == ["admin"] or match.func.__module__.startswith("support.views.")
    return SHELL if in_shell else STRICT
