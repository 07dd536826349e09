"""The API's side of people and tokens. Shapes are serializers, so that the OpenAPI file says the truth."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import actions
from accounts.access import person, require_admin
from accounts.models import ApiToken, RoleGrant, User
from accounts.queries import living_grants, may_read_people, people, tokens_of
from accounts.reauth import require_recent
from web.api import ANY_SCOPE, ApiView, page_of, paged
from web.problems import Forbidden


class GrantOut(serializers.ModelSerializer[RoleGrant]):
    class Meta:
        model = RoleGrant
        fields = ["role", "system", "starts_at", "ends_at", "founding"]


class PersonOut(serializers.ModelSerializer[User]):
    roles = GrantOut(source="living", many=True)

    class Meta:
        model = User
        fields = ["id", "name", "email", "is_active", "roles"]


class MeOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    roles = GrantOut(many=True)
    token = serializers.CharField(allow_null=True, help_text="Public id of the token that asked, or null.")
    scopes = serializers.ListField(child=serializers.CharField())


class TokenOut(serializers.ModelSerializer[ApiToken]):
    owner = serializers.UUIDField(source="owner_id")

    class Meta:
        model = ApiToken
        fields = [
            "id", "public_id", "name", "owner", "scopes", "system", "environment",
            "created_at", "expires_at", "last_used_at", "revoked_at",
        ]  # fmt: skip


class TokenIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    owner = serializers.PrimaryKeyRelatedField(queryset=User.objects.all())
    scopes = serializers.ListField(child=serializers.ChoiceField(ApiToken.Scope.choices), allow_empty=False)
    system = serializers.SlugField(max_length=60, required=False, allow_blank=True, default="")
    environment = serializers.SlugField(max_length=40, required=False, allow_blank=True, default="")
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class TokenMade(TokenOut):
    secret = serializers.CharField(help_text="Shown here once, and never again.")

    class Meta(TokenOut.Meta):
        fields = [*TokenOut.Meta.fields, "secret"]


class MeView(ApiView):
    required_scopes = {"GET": ANY_SCOPE}

    @extend_schema(operation_id="me", responses=MeOut)
    def get(self, request: Request) -> Response:
        """Who is asking, with which roles; with a token, as whom it writes and what it may."""
        user, now = person(request), timezone.now()
        token = request.auth if isinstance(request.auth, ApiToken) else None
        grants: QuerySet[RoleGrant] = living_grants(now=now).filter(user=user).order_by("system", "role")
        if token and token.system:
            grants = grants.filter(system__in=["", token.system])
        data = {
            "id": user.pk,
            "name": user.name,
            "roles": grants,
            "token": token and token.public_id,
            "scopes": token.scopes if token else [],
        }
        return Response(MeOut(data).data)


class PeopleView(ApiView):
    @extend_schema(operation_id="people", responses=page_of(PersonOut))
    def get(self, request: Request) -> Response:
        """People and their living roles: for admins and auditors."""
        now = timezone.now()
        if not may_read_people(person(request), now=now):
            raise Forbidden("This takes an admin or an auditor.")
        return paged(request, people(now=now), PersonOut, order=("name", "pk"))


class TokensView(ApiView):
    @extend_schema(operation_id="tokens", responses=page_of(TokenOut))
    def get(self, request: Request) -> Response:
        """One's own tokens; for an admin, all."""
        return paged(request, tokens_of(person(request), now=timezone.now()), TokenOut)

    @extend_schema(operation_id="issue_token", request=TokenIn, responses={201: TokenMade})
    def post(self, request: Request) -> Response:
        """A new token. It takes an admin who is signed in, and signed in lately: no token makes another.

        No Idempotency-Key here: the answer holds the secret, and is kept nowhere.
        """
        user, now = person(request), timezone.now()
        require_admin(user, now=now)
        require_recent(request._request)
        data = TokenIn(data=request.data)
        data.is_valid(raise_exception=True)
        token, secret = actions.issue_token(by=user, now=now, **data.validated_data)
        token.secret = secret  # type: ignore[attr-defined]
        return Response(TokenMade(token).data, status=201)


class TokenView(ApiView):
    @extend_schema(operation_id="revoke_token", responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """Revokes a token at once: one's own, or as an admin any."""
        user, now = person(request), timezone.now()
        token = get_object_or_404(tokens_of(user, now=now), pk=pk)
        actions.revoke_token(token=token, by=user, now=now)
        return Response(status=204)
