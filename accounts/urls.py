from django.urls import path

from accounts.views import entrance, me, people, tokens

app_name = "accounts"

urlpatterns = [
    path("accounts/setup/<str:token>/", entrance.setup, name="setup"),
    path("accounts/enrol/", entrance.enrol, name="enrol"),
    path("me/", me.me, name="me"),
    path("people/", people.people_list, name="people"),
    path("people/<uuid:pk>/", people.person, name="person"),
    path("people/<uuid:pk>/roles/", people.grant, name="grant"),
    path("people/<uuid:pk>/deactivate/", people.deactivate, name="deactivate"),
    path("people/<uuid:pk>/reset-factors/", people.reset_factors, name="reset-factors"),
    path("people/roles/<uuid:pk>/confirm/", people.confirm, name="confirm"),
    path("people/roles/<uuid:pk>/revoke/", people.revoke, name="revoke"),
    path("people/resets/<uuid:pk>/confirm/", people.confirm_reset, name="confirm-reset"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/<uuid:pk>/revoke/", tokens.revoke, name="revoke-token"),
]
