from django.db import connection


def lock_people() -> None:
    """Acts that depend on who is an admin wait for each other: held until the transaction ends.

    Without it two admins who resign at the same time would leave an installation without any.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('accounts.people'))")
