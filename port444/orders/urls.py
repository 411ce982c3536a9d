from __future__ import annotations

from django.urls import path

from . import views

app_name = "orders"
urlpatterns = [
    path("orders/", views.list_orders, name="list"),
    path("orders/place/<uuid:package_id>/", views.place, name="place"),
    path("orders/<int:number>/", views.detail, name="detail"),
    path("orders/<int:number>/live/", views.live, name="live"),
    path("orders/<int:number>/message/", views.message, name="message"),
    path("orders/<int:number>/answer/", views.answer, name="answer"),
    path("orders/<int:number>/deliver/", views.deliver, name="deliver"),
    path("orders/<int:number>/revision/", views.revision, name="revision"),
    path("orders/<int:number>/accept/", views.accept, name="accept"),
    path("orders/<int:number>/cancel/", views.cancel, name="cancel"),
    path("orders/<int:number>/review/", views.review, name="review"),
    path("orders/<int:number>/again/", views.again, name="again"),
    path("orders/<int:number>/reply/", views.reply, name="reply"),
    path("reviews/<uuid:review_id>/report/", views.report_review, name="report_review"),
    path("s/<slug:slug>/reviews/", views.service_reviews, name="service_reviews"),
    path("b/<slug:slug>/reviews/", views.builder_reviews, name="builder_reviews"),
    path("messages/<uuid:conversation_id>/client/", views.client_reviews, name="client_reviews"),
    path("orders/<int:number>/dispute/", views.open_dispute, name="open_dispute"),
    path("disputes/<int:dispute_number>/", views.dispute, name="dispute"),
    path("disputes/<int:dispute_number>/live/", views.dispute_live, name="dispute_live"),
    path("disputes/<int:dispute_number>/answer/", views.answer_dispute, name="answer_dispute"),
    path("disputes/<int:dispute_number>/figure/", views.change_figure, name="change_figure"),
    path("disputes/<int:dispute_number>/settle/", views.settle_dispute, name="settle_dispute"),
    path("disputes/<int:dispute_number>/withdraw/", views.withdraw_dispute, name="withdraw_dispute"),
    path("disputes/<int:dispute_number>/escalate/", views.escalate_dispute, name="escalate_dispute"),
    path("disputes/<int:dispute_number>/evidence/", views.add_evidence, name="add_evidence"),
    path("messages/<uuid:conversation_id>/offer/", views.new_offer, name="new_offer"),
    path("offers/<uuid:offer_id>/", views.show_offer, name="offer"),
    path("offers/<uuid:offer_id>/accept/", views.accept_offer, name="accept_offer"),
    path("offers/<uuid:offer_id>/counter/", views.counter_offer, name="counter_offer"),
    path("offers/<uuid:offer_id>/decline/", views.decline_offer, name="decline_offer"),
    path("offers/<uuid:offer_id>/send/", views.send_counter, name="send_counter"),
    path("offers/<uuid:offer_id>/withdraw/", views.withdraw_offer, name="withdraw_offer"),
    path("suggestions/<uuid:suggestion_id>/send/", views.send_suggestion, name="send_suggestion"),
    path("suggestions/<uuid:suggestion_id>/dismiss/", views.dismiss_suggestion, name="dismiss_suggestion"),
    path("today/", views.today, name="today"),
    path("insights/", views.insights, name="insights"),
]
