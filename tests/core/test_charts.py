"""What Chart.js is given to draw."""

import json

from engagement.lib.charts import make_chart


def test_a_long_name_is_cut_in_the_legend_and_whole_in_the_table() -> None:
    names = ["order_completed", "x" * 200]
    figures = {"labels": ["10:00"], "series": {name: [1] for name in names}, "total": 2}

    chart = make_chart("Events", figures, note="", says="", empty="")

    drawn = [one["label"] for one in json.loads(chart.data)["datasets"]]
    assert drawn == ["order_completed", "x" * 29 + "…"]
    assert chart.headings == ["", *names]


def test_a_long_name_beside_a_bar_is_cut_so_that_a_telephone_shows_its_beginning() -> None:
    names = ["Welcome", "Remind of a cart that was left for an hour"]
    figures = {"labels": names, "series": {"activations": [1, 2]}, "total": 3}

    chart = make_chart("Activations by rule", figures, note="", says="", empty="", is_flat=True)

    assert json.loads(chart.data)["labels"] == ["Welcome", "Remind of a cart that…"]
    assert chart.rows == [[names[0], 1], [names[1], 2]]
