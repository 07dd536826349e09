from django.urls import path

from web import components

urlpatterns = [
    path("components/", components.index, name="components"),
    path("components/toast/", components.toast, name="components-toast"),
    path("components/problem/", components.problem, name="components-problem"),
    path("components/<slug:name>/", components.page, name="component-page"),
]
