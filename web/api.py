"""The base of every API view: who may ask is said by scopes for tokens, and by the view for people."""

from typing import Any, ClassVar

from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from web.problems import Forbidden


class HasScope(BasePermission):
    """A machine token needs the scope that the view names for the method; a session needs none here."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.auth is None:
            return True
        scope = view.required_scopes.get(request.method)
        if scope is None:
            raise Forbidden("No machine token may do this: it takes a person who is signed in.")
        if scope not in request.auth.scopes:
            raise Forbidden(f"This token lacks the scope {scope}.")
        return True


class ApiView(APIView):
    permission_classes = [IsAuthenticated, HasScope]
    # HTTP method -> scope; a method that is not named here is closed to machine tokens.
    required_scopes: ClassVar[dict[str, str]] = {}
