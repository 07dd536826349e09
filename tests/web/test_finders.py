from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from web.finders import FILES, WheelFinder


@pytest.mark.parametrize("path", FILES)
def test_named_files_are_found_in_their_packages(path):
    found = finders.find(path)
    assert Path(found).stat().st_size > 50_000


@pytest.mark.parametrize("path", ["vendor/datasets/gapminder.csv", "vendor/../plotly/__init__.py", "plotly.min.js"])
def test_nothing_else_of_a_package_is_exposed(path):
    assert WheelFinder().find(path) == []
    assert WheelFinder().find(path, find_all=True) == []


def test_collecting_reads_each_file_by_its_address():
    listed = dict(WheelFinder().list([]))
    assert set(listed) == set(FILES)
    with listed["vendor/geist.ttf"].open("vendor/geist.ttf") as file:
        assert file.read(4) in (b"\x00\x01\x00\x00", b"true")
