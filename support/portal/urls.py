"""The retailers' own pages. Addresses hold references and serial numbers only: neither is a secret."""

from django.urls import path

from support.portal.views.batches import batch, batches
from support.portal.views.files import picture, small_picture
from support.portal.views.home import home
from support.portal.views.invitation import invitation
from support.portal.views.keys import key, key_list, new_key
from support.portal.views.new_report import new_report
from support.portal.views.people import change_invitation, invite, member, people
from support.portal.views.report import report, report_cards, write
from support.portal.views.reports import report_list
from support.portal.views.statement import statement

urlpatterns = [
    path("", home, name="portal_home"),
    path("batches/", batches, name="portal_batches"),
    path("batches/<str:reference>/", batch, name="portal_batch"),
    path("people/", people, name="portal_people"),
    path("people/invite/", invite, name="portal_invite"),
    path("people/invitations/<int:pk>/<str:verb>/", change_invitation, name="portal_change_invitation"),
    path("people/<int:pk>/", member, name="portal_member"),
    path("invitation/<str:token>/", invitation, name="portal_invitation"),
    path("keys/", key_list, name="portal_keys"),
    path("keys/new/", new_key, name="portal_new_key"),
    path("keys/<int:pk>/", key, name="portal_key"),
    path("reports/", report_list, name="portal_reports"),
    path("reports/new/", new_report, name="portal_new_report"),
    path("reports/<str:reference>/", report, name="portal_report"),
    path("reports/<str:reference>/cards/", report_cards, name="portal_report_cards"),
    path("reports/<str:reference>/statement/", statement, name="portal_statement"),
    path("reports/<str:reference>/write/", write, name="portal_write"),
    path("reports/<str:reference>/files/<int:attachment>/<int:page>/", picture, name="portal_picture"),
    path(
        "reports/<str:reference>/files/<int:attachment>/<int:page>/small/", small_picture, name="portal_small_picture"
    ),
]
