import pytest

from jobs.models import Job
from operations.actions.channels import create_channel
from operations.errors import InvalidInput, NotYourRole, Refused
from operations.models import Channel
from operations.notify import notify
from operations.queries import channels_for, proven_alarm_channels

pytestmark = pytest.mark.django_db


def mailbox(system, address, admin, now, **more):
    made = {"system": system, "name": address, "kind": "email", "target": f"{address}@example.com"}
    return create_channel(**made, **more, by=admin, now=now)[0]


def tell(system, now, topic="releases.signed"):
    found = notify(topic=topic, system=system, subject="x:1", title="T", body="", url="", now=now)
    return sorted(delivery.channel.name for delivery in found.deliveries.all())


def test_a_channel_hears_of_its_system_and_topics_only(system, other_system, admin, now):
    mailbox(None, "everywhere", admin, now)
    mailbox(system, "bot", admin, now)
    mailbox(system, "budget", admin, now, topics=["operations.budget-exceeded"])
    mailbox(other_system, "search", admin, now)
    assert tell(system, now) == ["bot", "everywhere"]
    assert tell(system, now, topic="operations.budget-exceeded") == ["bot", "budget", "everywhere"]
    assert tell(None, now) == ["everywhere"]
    assert {channel.name for channel in channels_for(other_system)} == {"everywhere", "search"}


def test_each_delivery_has_a_job_of_its_own(system, admin, now):
    mailbox(system, "one", admin, now)
    mailbox(system, "two", admin, now)
    tell(system, now)
    assert Job.objects.filter(task="operations.deliver").count() == 2


def test_only_a_proven_channel_that_listens_counts_for_the_gate(system, admin, now):
    proven = mailbox(system, "proven", admin, now)
    mailbox(system, "never-tested", admin, now)
    deaf = mailbox(system, "deaf", admin, now, topics=["releases.signed"])
    off = mailbox(system, "off", admin, now)
    Channel.objects.filter(pk__in=[proven.pk, deaf.pk, off.pk]).update(tested_at=now)
    Channel.objects.filter(pk=off.pk).update(state="off")
    assert proven_alarm_channels(system) == 1


def test_only_an_admin_makes_a_channel_and_only_a_sensible_one(system, people, admin, now):
    with pytest.raises(NotYourRole):
        mailbox(system, "mine", people("Oli", "operations"), now)
    with pytest.raises(InvalidInput, match="no topic nonsense"):
        mailbox(system, "x", admin, now, topics=["nonsense"])
    with pytest.raises(InvalidInput, match="not an e-mail address"):
        create_channel(system=system, name="x", kind="email", target="nobody", by=admin, now=now)
    with pytest.raises(InvalidInput, match="http and https"):
        create_channel(system=system, name="x", kind="webhook", target="file:///etc/passwd", by=admin, now=now)
    mailbox(system, "once", admin, now)
    with pytest.raises(Refused, match="a channel here already"):
        mailbox(system, "once", admin, now)
    assert Channel.objects.count() == 1
