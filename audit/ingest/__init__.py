"""From an application's bytes to rows: body -> wire -> mapping -> contract -> redaction -> price -> hash -> store."""
