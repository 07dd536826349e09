"""The base of every API view: who may ask is said by scopes for tokens, and by the view for people."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from web.paging import keyset_page
from web.problems import BadRequest, Forbidden

# In `required_scopes`: every living token may, whatever its scopes.
ANY_SCOPE = "*"
MAX_PAGE = 200


class HasScope(BasePermission):
    """A machine token needs the scope that the view names for the method; a session needs none here."""

    def has_permission(self, request: Request, view: Any) -> bool:
        token: Any = request.auth
        if token is None:
            return True
        scope = view.required_scopes.get(request.method)
        if scope is None:
            raise Forbidden("No machine token may do this: it takes a person who is signed in.")
        if scope != ANY_SCOPE and scope not in token.scopes:
            raise Forbidden(f"This token lacks the scope {scope}.")
        return True


class ApiView(APIView):
    permission_classes = [IsAuthenticated, HasScope]
    # HTTP method -> scope; a method that is not named here is closed to machine tokens.
    required_scopes: ClassVar[dict[str, str]] = {}


def paged(
    request: Request,
    rows: QuerySet[Any],
    shape: type[serializers.BaseSerializer[Any]],
    *,
    order: Sequence[str] = ("-created_at", "-pk"),
    within: str = "",
) -> Response:
    """One page of rows: `?cursor=` from the last answer's `next` or `previous`, `?size=` up to 200."""
    raw = request.query_params.get("size", "50")
    if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw) <= MAX_PAGE:
        raise BadRequest(f"size is a whole number from 1 to {MAX_PAGE}.")
    page = keyset_page(rows, order=order, cursor=request.query_params.get("cursor"), size=int(raw), within=within)
    results = shape(page.items, many=True).data
    return Response({"results": results, "next": page.next_cursor, "previous": page.previous_cursor})


def page_of(shape: type[serializers.BaseSerializer[Any]]) -> serializers.Serializer[Any]:
    """How such a page stands in the OpenAPI file."""
    cursor = serializers.CharField(allow_null=True, help_text="Goes into ?cursor=")
    name = shape.__name__.removesuffix("Out") + "Page"
    return inline_serializer(name, {"results": shape(many=True), "next": cursor, "previous": cursor})
