"""Every setting, from the environment. The README's table lists what can be set; a test compares the two."""

from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import environ
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from config.keys import age_identity, code_keys, seal_key
from config.local_secrets import load_or_create

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))

# --- Secrets: from the environment; made locally only where DEBUG is on.
_SECRETS = ("SECRET_KEY", "CODE_KEYS", "OUTBOX_KEY", "SEAL_KEY")
# Mail too: on the console, digital cards' codes would stand in the log.
_missing = [name for name in (*_SECRETS, "EMAIL_URL") if not env.str(name, default="")]
if _missing and not DEBUG:
    raise ImproperlyConfigured(
        f"Set {', '.join(_missing)} in the environment: with DEBUG off, Redemption Desk starts with real secrets and "
        "real mail only."
    )
_local = load_or_create(VAR_DIR) if set(_missing) & set(_SECRETS) else {}


def _secret(name: str) -> str:
    return env.str(name, default="") or _local[name]


SECRET_KEY = _secret("SECRET_KEY")
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
CODE_KEYS = code_keys(_secret("CODE_KEYS"))
OUTBOX_KEY = age_identity(_secret("OUTBOX_KEY"))
SEAL_KEY = seal_key(_secret("SEAL_KEY"))

# --- Where it is served
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_URL = env.str("SITE_URL", default="http://localhost:8000")

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "crispy_forms",
    "config.admin.DeskAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    # allauth's list of sessions says “3 hours ago”.
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_countries",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "redemption",
    "support",
    # After ours, whose `procrastinate` command says more when a worker starts.
    "procrastinate.contrib.django",
]

MIDDLEWARE = [
    # Around everything: no answer goes out without a policy.
    "config.headers.PolicyHeaders",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "redemption.middleware.OutagesNeedNoDatabase",
    # Around all that answers browsers.
    "redemption.api.middleware.InterfacesStandApart",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    # Before the CSRF check, which reads the form.
    "support.middleware.RefusesTooMuch",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    # Before anything that could carry an address on, such as the way to the sign-in page; it tells by a message.
    "redemption.middleware.CodesStayOutOfAddresses",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "support.middleware.StaffConfirmThemselves",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database: PostgreSQL only. Without DATABASE_URL the embedded server, which is for the demo and the tests.
_database: dict[str, Any] = {"ENGINE": "config.embedded_postgres", "NAME": "redemption"}
if env.str("DATABASE_URL", default=""):
    _database = env.db("DATABASE_URL")
elif not DEBUG:
    raise ImproperlyConfigured(
        "Set DATABASE_URL to a PostgreSQL server (postgres://user:password@host/database): the embedded one is for the "
        "demo and the tests, and is refused with DEBUG off."
    )
_database.setdefault("OPTIONS", {}).update(
    pool={"min_size": 1, "max_size": env.int("DATABASE_POOL", default=8), "timeout": 30},
    # The server binds the parameters and keeps the plans: half the time of a look-up (see DESIGN's figures).
    server_side_binding=True,
    prepare_threshold=2,
)
DATABASES = {"default": _database}
# The group that holds the application's rights; `manage.py database_roles` makes it.
DATABASE_APP_ROLE = env.str("DATABASE_APP_ROLE", default="redemption_app")
# What the retailers' pages are read as: the database itself shows it nothing but theirs.
DATABASE_PORTAL_ROLE = env.str("DATABASE_PORTAL_ROLE", default="redemption_portal")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People
AUTH_USER_MODEL = "redemption.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
# Without a password one signs in by a code each time.
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1", "password2"]
# Who signs up, by a code from his mail (see support.sign_in.VerifiesWhoSignsUp for those who have signed in before).
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
# Mail takes its time.
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_FORMS = {
    "signup": "support.sign_in_forms.SignUpForm",
    "change_password": "support.sign_in_forms.ChangePasswordForm",
    "request_login_code": "support.sign_in_forms.RequestCodeForm",
    "confirm_login_code": "support.sign_in_forms.SignInCodeForm",
    "confirm_email_verification_code": "support.sign_in_forms.VerificationCodeForm",
}
# Its own limits are each process's; support.lockout counts in the database.
ACCOUNT_RATE_LIMITS = False
ACCOUNT_ADAPTER = "support.sign_in.AccountAdapter"
# People hear by mail of a changed password, and of a second factor added or removed.
ACCOUNT_EMAIL_NOTIFICATIONS = True
# Anybody could have strangers mailed: whoever asks with an address that nobody has here gets none. The mail is made all
# the same, so that the answer takes as long, and support.sign_in lets it go nowhere.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = True
# Twelve hours (SESSION_COOKIE_AGE), without a box to tick.
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Redemption Desk] "
# A person's address is changed under People, where the change is audited.
ACCOUNT_MAX_EMAIL_ADDRESSES = 1
# Nobody signs up with an address that is not his: people get theirs from an administrator, with a link by mail.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_ADAPTER = "support.sign_in.MfaAdapter"
MFA_FORMS = {
    "authenticate": "support.sign_in_forms.SecondFactorForm",
    "reauthenticate": "support.sign_in_forms.SecondFactorAgainForm",
}
MFA_RATE_LIMITS = False
# They are shown when they are made: who takes over a session cannot read them.
MFA_RECOVERY_CODES_SHOW_ONCE = True
# A passkey is enough to sign in, so its holder must unlock it.
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_TOTP_ISSUER = "Redemption Desk"
USERSESSIONS_ADAPTER = "support.sign_in.SessionsAdapter"
USERSESSIONS_TRACK_ACTIVITY = False
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
# Staff pages open only to a session that passed a second factor; the demo switches this off, loudly.
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", default=True)

# Dangerous actions ask for a second factor that is at most so old; 0: for none but the session's.
STEP_UP_MINUTES = env.int("STEP_UP_MINUTES", default=15)
# Failed sign-ins, second factors and mailed codes, 0 for no limit: who has forgotten a password tries a handful, and an
# office may have many who do. Whoever guesses has less than a thousand tries a day at one person.
SIGN_IN_FAILURES_PER_PERSON = env.int("SIGN_IN_FAILURES_PER_PERSON", default=10)
SIGN_IN_FAILURES_PER_NETWORK = env.int("SIGN_IN_FAILURES_PER_NETWORK", default=100)
# Mails that anybody can have sent to any address.
SIGN_IN_MAILS_PER_PERSON = env.int("SIGN_IN_MAILS_PER_PERSON", default=5)
SIGN_IN_MAILS_PER_NETWORK = env.int("SIGN_IN_MAILS_PER_NETWORK", default=50)
SIGN_IN_WINDOW_MINUTES = env.int("SIGN_IN_WINDOW_MINUTES", default=15)

# --- Redeeming: how many failed tries, 0 for no limit. Four wrong tries, then a day, is what the services' own rules
# say; an address may be a household or an office. A program's figure is per ten seconds: far above any honest
# evening's, it slows a flood of guesses from many accounts.
ATTEMPTS_PER_ACCOUNT = env.int("ATTEMPTS_PER_ACCOUNT", default=4)
ATTEMPTS_PER_ADDRESS = env.int("ATTEMPTS_PER_ADDRESS", default=40)
ATTEMPTS_PER_PROGRAM = env.int("ATTEMPTS_PER_PROGRAM", default=4_000)
ATTEMPTS_PER_AGENT = env.int("ATTEMPTS_PER_AGENT", default=60)
# What a retailer's people write is shown to them again with codes masked: so many of the numbers in it may be guesses.
ATTEMPTS_PER_RETAILER = env.int("ATTEMPTS_PER_RETAILER", default=300)
# The same of a customer, who has one receipt and not a chain's; and how much he writes to support in an hour, which is
# more than anybody reads; and how often his address is sent its confirmation in an hour: a mailbox is not flooded.
ATTEMPTS_PER_CUSTOMER = env.int("ATTEMPTS_PER_CUSTOMER", default=10)
MESSAGES_PER_CUSTOMER = env.int("MESSAGES_PER_CUSTOMER", default=20)
VERIFICATIONS_PER_CUSTOMER = env.int("VERIFICATIONS_PER_CUSTOMER", default=5)
ATTEMPT_WINDOW_HOURS = env.int("ATTEMPT_WINDOW_HOURS", default=24)

# --- The breaker of redeeming: five failures in a minute are no hiccup; after five seconds one try finds out. 0: never.
BREAKER_FAILURES = env.int("BREAKER_FAILURES", default=5)
BREAKER_WINDOW_SECONDS = env.int("BREAKER_WINDOW_SECONDS", default=60)
BREAKER_PAUSE_SECONDS = env.int("BREAKER_PAUSE_SECONDS", default=5)

# --- Machines with keys: how many requests in a minute, 0 for no limit. Ten a second is more than a chain's tills sell
# at Christmas; a key that fails thirty times in a minute was not mistyped.
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", default=600)
# One key brings all of a platform's customers: a hundred a second is the rush of a launch.
PLATFORM_REQUESTS_PER_MINUTE = env.int("PLATFORM_REQUESTS_PER_MINUTE", default=6_000)
# Codes that a platform's services ask about and that are none, in the attempts' window: its customers hold real ones.
ATTEMPTS_PER_PLATFORM = env.int("ATTEMPTS_PER_PLATFORM", default=1_000)
API_FAILURES_PER_MINUTE = env.int("API_FAILURES_PER_MINUTE", default=30)

# --- Webhooks. A server that has not answered in ten seconds is away; one that was away for three days has lost what it
# was told meanwhile, until somebody has it sent again.
WEBHOOK_TIMEOUT = env.int("WEBHOOK_TIMEOUT", default=10)
WEBHOOK_GIVE_UP_DAYS = env.int("WEBHOOK_GIVE_UP_DAYS", default=3)
# Whoever may type an address in must not reach our own network through us. On only where that is a developer's.
WEBHOOK_PRIVATE_TARGETS = env.bool("WEBHOOK_PRIVATE_TARGETS", default=False)

# --- Files and mail
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
MEDIA_ROOT = Path(env.str("PRIVATE_FILES_DIR", default=str(VAR_DIR / "files")))
# What customers send, as pictures of our own making and as it came: for nobody but this process, and at no address.
_private: dict[str, Any] = {
    "BACKEND": "django.core.files.storage.FileSystemStorage",
    "OPTIONS": {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
}
_pictures = _quarantine = _private
# Seals leave the database for a place of their own, where nobody who can write to the database can write.
_seals: dict[str, Any] = {
    **_private,
    "OPTIONS": {**_private["OPTIONS"], "location": env.str("SEALS_DIR", default=str(VAR_DIR / "seals"))},
}
_options = {
    "endpoint_url": env.str("S3_ENDPOINT_URL", default="") or None,
    "region_name": env.str("S3_REGION", default="") or None,
    "access_key": env.str("S3_ACCESS_KEY", default="") or None,
    "secret_key": env.str("S3_SECRET_KEY", default="") or None,
    "default_acl": "private",
    "file_overwrite": False,
}
_s3 = "storages.backends.s3.S3Storage"
if _seals_bucket := env.str("S3_SEALS_BUCKET", default=""):
    _seals = {"BACKEND": _s3, "OPTIONS": {**_options, "bucket_name": _seals_bucket}}
if _bucket := env.str("S3_BUCKET", default=""):
    _pictures = {"BACKEND": _s3, "OPTIONS": {**_options, "bucket_name": _bucket}}
    # A bucket of its own can have rules of its own.
    _quarantine_bucket = env.str("S3_QUARANTINE_BUCKET", default="") or _bucket
    _quarantine = {"BACKEND": _s3, "OPTIONS": {**_options, "bucket_name": _quarantine_bucket}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "pictures": _pictures,
    "quarantine": _quarantine,
    "seals": _seals,
    # Lists that managers take away: for whoever asked, through a page that asks who fetches.
    "exports": _pictures,
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Files that customers send. Telephones make photos of up to 50 million pixels and some 15 MB; a message with more
# than ten of them, or a receipt of more than twenty pages, is no receipt.
UPLOAD_MAX_FILES = env.int("UPLOAD_MAX_FILES", default=10)
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", default=20_000_000)
UPLOAD_MAX_PIXELS = env.int("UPLOAD_MAX_PIXELS", default=50_000_000)
UPLOAD_MAX_PAGES = env.int("UPLOAD_MAX_PAGES", default=20)
# A whole form with files, on the tickets’ and the reports’ pages; any other page takes DATA_UPLOAD_MAX_MEMORY_SIZE.
UPLOAD_MAX_REQUEST_BYTES = env.int("UPLOAD_MAX_REQUEST_BYTES", default=60_000_000)
# What opening one file may cost; all of a message's files together take three times as long at most. Fifty million
# pixels need some 400 MB to be turned; two files at once in each process leave the machine the rest.
UPLOAD_SECONDS = env.int("UPLOAD_SECONDS", default=20)
UPLOAD_MEMORY_MB = env.int("UPLOAD_MEMORY_MB", default=1024)
UPLOAD_DECODERS = env.int("UPLOAD_DECODERS", default=2)
# Optional: tcp://host:3310 or unix:///run/clamav/clamd.ctl.
CLAMD_URL = env.str("CLAMD_URL", default="")

EMAIL_CONFIG = env.email("EMAIL_URL", default=f"filemail:///{VAR_DIR / 'mail'}")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Redemption Desk <desk@localhost>")
# Answers go out from here and come back to here; its domain is in their Message-IDs.
SUPPORT_ADDRESS = env.str("SUPPORT_ADDRESS", default="Redemption Desk <support@localhost>")
# Where customers' mails are fetched from; without it they come through `manage.py receive_mail` alone.
IMAP_URL = env.str("IMAP_URL", default="")
IMAP_DONE_FOLDER = env.str("IMAP_DONE_FOLDER", default="")

# --- Seals over what must not change
# Who gets the newest seal each day, outside the house at best.
AUDITOR_EMAIL = env.str("AUDITOR_EMAIL", default="")
# Rows are sealed each 30 seconds: unsealed ones as old as this mean that it stands still.
SEAL_LAG_ALARM = env.int("SEAL_LAG_ALARM", default=300)

# --- Language and time
LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
# In which the desk's opening hours and holidays are.
DESK_TIME_ZONE = env.str("DESK_TIME_ZONE", default="UTC")
if DESK_TIME_ZONE not in available_timezones():
    raise ImproperlyConfigured("DESK_TIME_ZONE is a name such as Europe/Stockholm.")

# --- Security: everything on, but for the demo's plain http
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_HSTS_SECONDS = 0 if DEBUG else 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
# Whom tries and sign-ins are counted against: the address that the outermost of our own proxies saw.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", default=0)
# In which our own proxy says where a customer appears to be; it must take off what customers send under that name.
COUNTRY_HEADER = env.str("COUNTRY_HEADER", default="")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# A code has a few dozen characters: five megabytes of it are refused before they are read.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

# --- The look of the admin, the desk and the sign-in pages
UNFOLD = {
    "SITE_TITLE": "Redemption Desk",
    "SITE_HEADER": "Redemption Desk",
    "SITE_SYMBOL": "redeem",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    # The colours are a file: the shell would write them into every page.
    "STYLES": [lambda request: static("redemption/colors.css"), lambda request: static("redemption/desk.css")],
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("redemption/favicon.svg")},
    ],
    "SIDEBAR": {"navigation": "support.navigation.sidebar"},
    "ACCOUNT": {"navigation": "support.navigation.account_links"},
}
CRISPY_TEMPLATE_PACK = "unfold_crispy"
CRISPY_ALLOWED_TEMPLATE_PACKS = ["unfold_crispy"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    # A code typed into an address would be in the line about it.
    "filters": {"routes": {"()": "config.logs.RoutesInsteadOfAddresses"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["routes"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Instead of Django's own handlers, which would write the address out.
        "django": {"handlers": [], "level": "INFO"},
        # Every command that starts would list the jobs.
        "procrastinate.blueprints": {"level": "WARNING"},
        "procrastinate.periodic": {"level": "WARNING"},
    },
}

# The worker knows the tasks of each app's jobs.py.
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "jobs"

# Currencies that products and wallets may have, as ISO 4217 codes.
CURRENCIES: list[str] = env.list("CURRENCIES", default=["USD", "EUR", "GBP", "SEK", "JPY"])
