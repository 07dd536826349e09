"""One module per connector, all of one shape; see docs/how-to/connectors.md.

Evaluation files: NAME, SUFFIXES, describe(), parse(raw) -> RunAnswer.
Windows of a rollout: NAME, SETTLE, describe(), windows(...) -> (facts, raw), check(...) -> findings.
"""
