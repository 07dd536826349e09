import pytest
from django.core.exceptions import ImproperlyConfigured

from readiness import environment as env


def test_a_secret_may_come_from_a_file(tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("from the file\n")
    monkeypatch.setenv("THING", "from the variable")
    monkeypatch.setenv("THING_FILE", str(secret))
    assert env.text("THING") == "from the file"
    assert env.listing("THING") == ["from the file"]
    monkeypatch.setenv("THING_FILE", str(tmp_path / "none"))
    with pytest.raises(ImproperlyConfigured, match="THING_FILE names .*none, which cannot be read: No such file"):
        env.text("THING")


@pytest.mark.parametrize(("written", "meant"), [("1", True), ("Yes", True), ("off", False), ("", False)])
def test_booleans_are_read_as_people_write_them(written, meant, monkeypatch):
    monkeypatch.setenv("THING", written)
    assert env.boolean("THING", default=not meant) is meant


def test_nonsense_is_refused_with_the_name_of_the_variable(monkeypatch):
    monkeypatch.setenv("THING", "maybe")
    with pytest.raises(ImproperlyConfigured, match="THING is 'maybe': write 1 or 0."):
        env.boolean("THING")
    with pytest.raises(ImproperlyConfigured, match="THING is 'maybe': write a whole number."):
        env.number("THING", 3)


def test_unset_means_the_default(monkeypatch):
    monkeypatch.delenv("THING", raising=False)
    assert env.text("THING", "x") == "x"
    assert env.number("THING", 7) == 7
    assert env.boolean("THING", True) is True
    assert env.listing("THING", ("a", "b")) == ["a", "b"]
    monkeypatch.setenv("THING", " a, ,b ")
    assert env.listing("THING") == ["a", "b"]
