"""From rows, facts and verdicts to what the templates draw: each module makes the context that a template documents."""
