from django.urls import path

from accounts import api

app_name = "accounts_api"

urlpatterns = [
    path("me", api.MeView.as_view(), name="me"),
    path("people", api.PeopleView.as_view(), name="people"),
    path("tokens", api.TokensView.as_view(), name="tokens"),
    path("tokens/<uuid:pk>", api.TokenView.as_view(), name="token"),
]
