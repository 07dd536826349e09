"""What can be done to people, roles, factors and tokens. Each act is one transaction with its entry in the ledger."""

from accounts.actions.factors import confirm_factor_reset, enrol_totp, request_factor_reset
from accounts.actions.people import create_user, deactivate, invitation_path, invite, rename
from accounts.actions.roles import confirm_grant, end_lapsed_roles, grant_role, revoke_role
from accounts.actions.setup import check_setup_token, complete_setup, setup_link
from accounts.actions.tokens import issue_token, revoke_token

__all__ = [
    "check_setup_token",
    "complete_setup",
    "confirm_factor_reset",
    "confirm_grant",
    "create_user",
    "deactivate",
    "end_lapsed_roles",
    "enrol_totp",
    "grant_role",
    "invitation_path",
    "invite",
    "issue_token",
    "rename",
    "request_factor_reset",
    "revoke_role",
    "revoke_token",
    "setup_link",
]
