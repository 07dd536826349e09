from datetime import datetime

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from accounts import actions
from accounts.models import User
from jobs.tasks import job_task


@job_task("accounts.mail_invitation")
def mail_invitation(*, user_id: str, now: datetime) -> None:
    """The link is made here, so that it stands in no table: a job's arguments are kept for a month."""
    user = User.objects.get(pk=user_id)
    if not user.is_active or user.has_usable_password():
        return
    context = {
        "user": user,
        "link": settings.BASE_URL + actions.invitation_path(user),
        "site_name": settings.INSTANCE_NAME,
    }
    text = render_to_string("accounts/mail/invitation.txt", context)
    send_mail(f"Your account at {settings.INSTANCE_NAME}", text, None, [user.email])


@job_task("accounts.end_roles")
def end_roles(*, now: datetime) -> None:
    actions.end_lapsed_roles(now=now)
