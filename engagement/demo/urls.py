"""The pages that exist only on a laptop."""

from django.urls import path

from engagement.demo import inbox, shop

urlpatterns = [
    path("", shop.show_landing, name="landing"),
    path("demo/", shop.show_shop, name="shop"),
    path("demo/sign-in", shop.sign_in, name="shop-sign-in"),
    path("demo/sign-out", shop.sign_out, name="shop-sign-out"),
    path("demo/timeline.json", shop.show_timeline, name="shop-timeline"),
    path("inbox/", inbox.show_inbox, name="inbox"),
    path("inbox/list", inbox.show_list, name="inbox-list"),
    path("inbox/delivery/<uuid:delivery_id>/", inbox.find_delivery, name="inbox-delivery"),
    path("inbox/<str:key>/", inbox.show_mail, name="inbox-mail"),
    path("inbox/<str:key>/html", inbox.show_html, name="inbox-html"),
]
