from django.contrib import admin
from django.urls import include, path

from redemption.api.interface import mounted
from redemption.api.v1.api import api as platform
from redemption.views.status import status
from support.till.api import api as till

urlpatterns = [
    path("api/v1/", mounted(platform)),
    path("api/till/v1/", mounted(till)),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("redeem/", include("redemption.urls")),
    path("account/", include("support.customers.urls")),
    path("retailer/", include("support.portal.urls")),
    path("status/", status, name="status"),
    path("", include("support.urls")),
]

handler500 = "redemption.views.away.server_error"
