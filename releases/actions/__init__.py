"""Every write of this package: keyword-only, the actor is `by`, the clock is `now`, the record is written inside."""
