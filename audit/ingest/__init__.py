"""From an application's bytes to rows of the trail: body -> wire -> mapping -> contract -> redaction -> rows -> store."""
