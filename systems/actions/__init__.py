"""What can be done to systems. Each act is one transaction with its entry in the ledger."""

from systems.actions.consumers import acknowledge, add_consumer, announce, end_consumer
from systems.actions.environments import confirm_environment, end_environment, propose_environment
from systems.actions.policies import approve_policy, decline_policy, propose_policy
from systems.actions.registry import (
    add_component,
    approve_version,
    deprecate_version,
    draft_version,
    retire_component,
    retire_version,
    send_back_version,
    submit_version,
    write_compatibility,
)
from systems.actions.systems import acknowledge_ownership, assign_ownership, change_system, create_system
from systems.actions.traffic import set_data_policy

__all__ = [
    "acknowledge",
    "acknowledge_ownership",
    "add_component",
    "add_consumer",
    "announce",
    "approve_policy",
    "approve_version",
    "assign_ownership",
    "change_system",
    "confirm_environment",
    "create_system",
    "decline_policy",
    "deprecate_version",
    "draft_version",
    "end_consumer",
    "end_environment",
    "propose_environment",
    "propose_policy",
    "retire_component",
    "retire_version",
    "send_back_version",
    "set_data_policy",
    "submit_version",
    "write_compatibility",
]
