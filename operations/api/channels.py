from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as caller
from accounts.access import require_admin
from operations.actions import channels as act
from operations.api import serializers
from operations.api.base import CURSOR, SystemView
from operations.models import Channel, Delivery
from operations.queries import channels_for, find_channel, find_delivery
from systems.models import System
from web.api import ApiView
from web.idempotency import idempotent
from web.paging import keyset_page


class Channels(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=serializers.ChannelSerializer(many=True), operation_id="channels_list")
    def get(self, request: Request, slug: str) -> Response:
        """Channels that hear of the system: its own and the organisation's."""
        return Response([serializers.channel(row) for row in channels_for(self.system(request, slug))])

    @extend_schema(request=serializers.NewChannelSerializer, responses={201: serializers.MadeChannelSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """A new channel; the answer holds the signing secret of a webhook, once. Not idempotent by key: that would
        keep the secret."""
        return _make(request, self.system(request, slug))


class OrganisationChannels(ApiView):
    @extend_schema(responses=serializers.ChannelSerializer(many=True), operation_id="organisation_channels_list")
    def get(self, request: Request) -> Response:
        require_admin(caller(request), now=timezone.now())
        return Response([serializers.channel(row) for row in channels_for(None)])

    @extend_schema(request=serializers.NewChannelSerializer, responses={201: serializers.MadeChannelSerializer})
    def post(self, request: Request) -> Response:
        return _make(request, None)


class Test(ApiView):
    @extend_schema(request=None, responses={202: serializers.ChannelSerializer})
    @idempotent
    def post(self, request: Request, channel_id: UUID) -> Response:
        """Sends a test. When it has arrived, `tested_at` says so."""
        channel = _channel(request, channel_id)
        act.send_test(channel=channel, by=caller(request), now=timezone.now())
        return Response(serializers.channel(channel), status=202)


class Secret(ApiView):
    @extend_schema(request=None, responses=serializers.SecretSerializer)
    def post(self, request: Request, channel_id: UUID) -> Response:
        """A new signing secret; the former one signs besides it for a day."""
        channel = _channel(request, channel_id)
        return Response({"secret": act.rotate_secret(channel=channel, by=caller(request), now=timezone.now())})


class Switch(ApiView):
    @extend_schema(request=serializers.SwitchSerializer, responses=serializers.ChannelSerializer)
    @idempotent
    def post(self, request: Request, channel_id: UUID) -> Response:
        channel = _channel(request, channel_id)
        data = serializers.valid(serializers.SwitchSerializer, request)
        act.switch_channel(channel=channel, on=data["on"], by=caller(request), now=timezone.now())
        channel.refresh_from_db()
        return Response(serializers.channel(channel))


class Deliveries(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=serializers.DeliveryPageSerializer, operation_id="deliveries_list", parameters=[CURSOR])
    def get(self, request: Request, slug: str) -> Response:
        """What became of each notification about the system, newest first."""
        about = Q(notification__system=self.system(request, slug))
        rows = Delivery.objects.filter(about).select_related("notification", "channel", "person")
        page = keyset_page(rows, order=("-created_at", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": [serializers.delivery(row) for row in page.items], "next": page.next_cursor})


class Resend(ApiView):
    @extend_schema(request=None, responses={202: serializers.DeliverySerializer})
    @idempotent
    def post(self, request: Request, delivery_id: UUID) -> Response:
        """One more round of attempts, under the same message id."""
        delivery = find_delivery(delivery_id, by=caller(request), now=timezone.now())
        act.resend(delivery=delivery, by=caller(request), now=timezone.now())
        delivery.refresh_from_db()
        return Response(serializers.delivery(delivery), status=202)


def _channel(request: Request, channel_id: UUID) -> Channel:
    return find_channel(channel_id, by=caller(request), now=timezone.now())


def _make(request: Request, system: System | None) -> Response:
    data = serializers.valid(serializers.NewChannelSerializer, request)
    row, secret = act.create_channel(system=system, by=caller(request), now=timezone.now(), **data)
    return Response({**serializers.channel(row), "secret": secret}, status=201)
