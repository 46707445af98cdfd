import pytest

from finetune.viewer import windows as links
from finetune.viewer.windows import Window


def test_a_link_restores_the_panels():
    windows = [
        Window(kind="runs", place=(0, 0, 6, 9), options={"sort": [{"field": "after", "dir": "desc"}]}),
        Window(kind="compare", items=["runs/a", "runs/ü & b"], place=None),
    ]
    query = links.change_query("?theme=dark", view=links.write(windows))
    assert links.read(links.read_query(query)["view"]) == windows
    assert links.read_query(query)["theme"] == "dark"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "3",
        '[{"kind":"shell"}]',
        '[{"kind":"runs","place":[0,0,99,9]}]',
        "[" * 5000,
        '[["runs"]]',
    ],
)
def test_a_link_that_was_cut_or_invented_opens_nothing(text: str):
    assert links.read(text) == []


def places(windows: list[Window]) -> dict[str, tuple[int, int, int, int] | None]:
    return {window.items[0]: window.place for window in windows}


def test_two_halves_stand_side_by_side():
    windows = [
        Window(kind="table", items=["a"], place=(0, 3, 6, 5)),
        Window(kind="table", items=["b"], place=(0, 9, 6, 7)),
        Window(kind="table", items=["c"], place=(0, 9, 12, 4)),
    ]
    links.pack(windows)
    assert places(windows) == {"a": (0, 0, 6, 5), "b": (6, 0, 6, 7), "c": (0, 7, 12, 4)}


def test_a_panel_moves_up_and_down_by_its_buttons_and_a_floating_one_stays():
    first, second = (
        Window(kind="table", items=[name], place=(0, row, 12, 5)) for name, row in (("a", 0), ("b", 5))
    )
    floating = Window(kind="table", items=["f"], place=None)
    order = links.moved([first, second, floating], second, -1)
    assert places(order) == {"b": (0, 0, 12, 5), "a": (0, 5, 12, 5), "f": None}
    assert places(links.moved(order, second, -1)) == places(order)
    links.toggle_width(order, first)
    assert places(order)["a"] == (0, 5, 6, 5)
