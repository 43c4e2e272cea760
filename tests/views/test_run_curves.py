"""The rows of a run's metrics as curves."""

import numpy as np

from nlptui.views import runs
from nlptui.views.render import to_svg, to_text

ROWS = [
    {
        "step": 1,
        "time": 0.1,
        "loss": 4.0,
        "learning_rate": 1e-3,
        "gradient_norm": 2.0,
        "tokens_per_second": 900,
    },
    {
        "step": 2,
        "time": 0.2,
        "loss": 3.0,
        "learning_rate": 9e-4,
        "gradient_norm": 1.5,
        "tokens_per_second": 950,
    },
    {"step": 2, "time": 0.3, "split": "dev", "loss": 3.5, "accuracy": 0.5, "note": "text", "ok": True},
    {"step": 3, "time": 0.4, "loss": "nan", "learning_rate": 8e-4},
    {"step": 4, "time": 0.5, "split": "dev", "loss": float("inf"), "accuracy": 0.75},
    {"loss": 9.0},
]


def curves(chart):
    return {series.name: (series.x.tolist(), series.y.tolist()) for series in chart.series}


def test_loss_of_training_and_dev():
    loss = curves(runs.loss_curve(ROWS))
    assert loss["train"] == ([1, 2], [4, 3])
    assert loss["dev"][0] == [2, 4] and loss["dev"][1][0] == 3.5 and np.isnan(loss["dev"][1][1])


def test_all_that_was_measured_the_loss_first_the_training_itself_last():
    figure = runs.draw(ROWS, "pos-lstm-en")
    titles = [part.title for part in figure.parts]
    assert titles == ["loss", "accuracy", "learning rate", "length of the gradient", "tokens a second"]
    assert curves(figure.parts[1]) == {"dev": ([2, 4], [0.5, 0.75])}
    assert figure.title == "pos-lstm-en" and figure.parts[0].x_label == "step"
    assert "pos-lstm-en" in to_text(figure) and "accuracy" in to_svg(figure)


def test_nothing_measured_yet():
    figure = runs.draw([])
    assert figure.parts == () and "Nothing has been measured" in figure.caption
    assert runs.loss_curve([]).series == ()


def test_a_logarithmic_loss():
    assert runs.draw(ROWS, log=True).parts[0].log and not runs.draw(ROWS, log=True).parts[1].log
    assert "10" in to_svg(runs.draw([{"step": i, "loss": 10.0 ** (2 - i)} for i in range(3)], log=True))
