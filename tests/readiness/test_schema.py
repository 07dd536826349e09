"""The OpenAPI file that pipelines and their generators read."""

import pytest
import yaml
from django.test import Client


@pytest.mark.django_db
def test_the_schema_describes_the_gate_and_everything_else_without_a_token() -> None:
    answer = Client().get("/api/schema")
    assert answer.status_code == 200
    schema = yaml.safe_load(answer.content)
    assert schema["openapi"].startswith("3.1")
    gate = schema["paths"]["/api/releases/{reference}/gate"]["get"]
    assert [p["name"] for p in gate["parameters"] if p["in"] == "query"] == ["question"]
    assert len(schema["paths"]) > 40
