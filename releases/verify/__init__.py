"""Verify a release's bundle, without Django, without a network and without trusting who made it."""
