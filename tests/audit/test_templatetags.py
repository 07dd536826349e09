"""What the pages of the trail draw."""

from audit.templatetags import trail


def test_whatever_a_span_says_of_itself_is_text():
    said = {"a <b>": "<script>", "count": 2, "long": "x" * 5_000, "on": True, "list": ["<i>"]}
    for _ in range(2):  # drawn, and kept
        shown = trail.pairs(said)
        assert "<script>" not in shown
        assert "<i>" not in shown
        assert "<dt><code>a &lt;b&gt;</code></dt><dd>&lt;script&gt;</dd>" in shown
        assert "<dt><code>count</code></dt><dd>2</dd>" in shown
        assert "x" * 5_000 in shown
        assert shown.count("<dt>") == len(said)
