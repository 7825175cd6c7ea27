"""The desk's pages. Addresses hold serial numbers and references only: neither is a secret."""

from django.urls import path

from support.views.account import account
from support.views.approval import approval, decide
from support.views.approvals import approvals
from support.views.attachments import original, picture, small_picture
from support.views.attempt import attempt
from support.views.audit import audit
from support.views.bulk import bulk
from support.views.code import act, code, diagnose_account
from support.views.compromise import compromise
from support.views.compromised import compromised
from support.views.credit import credit, reverse_credit
from support.views.credit_list import credit_list
from support.views.credit_policy import credit_policy
from support.views.credits import credits
from support.views.drafts import draft
from support.views.exports import export, export_file, exports, new_export
from support.views.failures import failures
from support.views.hand_over import hand_over
from support.views.judge import judge
from support.views.known_error import choose, use_reply
from support.views.liability import liability
from support.views.lookup import lookup
from support.views.move_card import move_card
from support.views.new_compromised import new_compromised
from support.views.new_credit import new_credit
from support.views.new_ticket import new_ticket
from support.views.outages import outages, switch
from support.views.platform_keys import platform_key, platform_keys
from support.views.presence import presence
from support.views.queue import change_view, save, tickets
from support.views.seals import seals
from support.views.signals import signals
from support.views.signs import sign, signs
from support.views.statement import statement
from support.views.stop_credits import stop_credits
from support.views.ticket import ticket
from support.views.ticket_fields import change_ticket, take
from support.views.ticket_links import incidents, link, merge
from support.views.ticket_macros import preview_macro, use_macro
from support.views.ticket_writing import take_back, write
from support.views.webhooks import webhook, webhook_delivery, webhooks

urlpatterns = [
    path("", lookup, name="desk"),
    path("codes/<int:serial>/", code, name="code"),
    path("codes/<int:serial>/diagnose/", diagnose_account, name="diagnose"),
    path("codes/<int:serial>/do/<str:verb>/", act, name="act"),
    path("codes/<int:serial>/move/", move_card, name="move_card"),
    path("customers/<str:reference>/", account, name="account"),
    path("attempts/<str:reference>/", attempt, name="attempt"),
    path("approvals/", approvals, name="approvals"),
    path("approvals/<int:pk>/", approval, name="approval"),
    path("approvals/<int:pk>/<str:verb>/", decide, name="decide"),
    path("credits/", credits, name="credits"),
    path("credits/list/", credit_list, name="credit_list"),
    path("outages/", outages, name="outages"),
    path("outages/<slug:slug>/<str:way>/", switch, name="switch_redeeming"),
    path("reports/liability/", liability, name="liability"),
    path("reports/failures/", failures, name="failures"),
    path("reports/signals/", signals, name="signals"),
    path("credits/policy/", credit_policy, name="credit_policy"),
    path("credits/stop/", stop_credits, name="stop_credits"),
    path("exports/", exports, name="exports"),
    path("exports/new/", new_export, name="new_export"),
    path("exports/<int:pk>/", export, name="export"),
    path("exports/<int:pk>/file/", export_file, name="export_file"),
    path("audit/", audit, name="audit"),
    path("audit/seals/", seals, name="seals"),
    path("credits/new/", new_credit, name="new_credit"),
    # After every other address below credits/: it takes what is left.
    path("credits/<str:reference>/", credit, name="credit"),
    path("credits/<str:reference>/reverse/", reverse_credit, name="reverse_credit"),
    path("compromised/", compromised, name="compromised"),
    path("compromised/new/", new_compromised, name="new_compromised"),
    path("compromised/signs/", signs, name="signs"),
    path("compromised/signs/<int:pk>/", sign, name="sign"),
    # After every other address below compromised/: they take what is left.
    path("compromised/<str:reference>/", compromise, name="compromise"),
    path("compromised/<str:reference>/statement/", statement, name="statement"),
    path("compromised/<str:reference>/do/<str:verb>/", judge, name="judge"),
    path("compromised/<str:reference>/replace/<int:serial>/", hand_over, name="hand_over"),
    path("platforms/keys/", platform_keys, name="platform_keys"),
    path("platforms/keys/<int:pk>/", platform_key, name="platform_key"),
    path("platforms/webhooks/", webhooks, name="webhooks"),
    path("platforms/webhooks/<int:pk>/", webhook, name="webhook"),
    path("platforms/webhooks/<int:pk>/<int:delivery>/", webhook_delivery, name="webhook_delivery"),
    path("tickets/", tickets, name="tickets"),
    path("tickets/bulk/", bulk, name="bulk"),
    path("tickets/views/", save, name="save_view"),
    path("tickets/views/<int:pk>/", change_view, name="change_view"),
    path("tickets/new/", new_ticket, name="new_ticket"),
    path("tickets/<str:reference>/", ticket, name="ticket"),
    path("tickets/<str:reference>/files/<int:attachment>/", original, name="original"),
    path("tickets/<str:reference>/files/<int:attachment>/<int:page>/", picture, name="picture"),
    path("tickets/<str:reference>/files/<int:attachment>/<int:page>/small/", small_picture, name="small_picture"),
    path("tickets/<str:reference>/draft/", draft, name="draft"),
    path("tickets/<str:reference>/known-error/", choose, name="choose_known_error"),
    path("tickets/<str:reference>/known-error/<int:cause>/", use_reply, name="use_reply"),
    path("tickets/<str:reference>/presence/", presence, name="presence"),
    path("tickets/<str:reference>/write/<str:kind>/", write, name="write"),
    path("tickets/<str:reference>/unsend/<int:message>/", take_back, name="take_back"),
    path("tickets/<str:reference>/macros/<int:pk>/", preview_macro, name="preview_macro"),
    path("tickets/<str:reference>/use/<str:kind>/", use_macro, name="use_macro"),
    path("tickets/<str:reference>/links/<str:verb>/", link, name="link"),
    path("tickets/<str:reference>/merge/", merge, name="merge"),
    path("tickets/<str:reference>/incidents/", incidents, name="incidents"),
    path("tickets/<str:reference>/change/", change_ticket, name="change_ticket"),
    path("tickets/<str:reference>/take/", take, name="take"),
]
