"""The Pareto front against its definition, and what an utterance costs."""

from hypothesis import given
from hypothesis import strategies as st

from ambi_tasks.leaderboard.site.compute import Point, cost_of, fronts, pareto_front
from tests.leaderboard.site.conftest import Written

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12).map(
    lambda rows: [Point(f"{n:02d}", float(c), v / 10) for n, (c, v) in enumerate(rows)]
)


def beats(one: Point, other: Point, sign: int) -> bool:
    """At least as good in both, and better in one."""
    costs, values = (one.cost, other.cost), (sign * one.value, sign * other.value)
    return (
        costs[0] <= costs[1]
        and values[0] <= values[1]
        and (one.cost, values[0])
        != (
            other.cost,
            values[1],
        )
    )


@given(POINTS, st.booleans())
def test_the_front_is_what_nobody_beats(points: list[Point], higher: bool):
    sign = -1 if higher else 1
    front = pareto_front(points, higher_is_better=higher)
    unbeaten = {
        (one.cost, one.value)
        for one in points
        if not any(beats(other, one, sign) for other in points)
    }
    assert {(one.cost, one.value) for one in front} == unbeaten
    assert len(front) == len(unbeaten)  # of equal points one
    assert [one.cost for one in front] == sorted(one.cost for one in front)


def test_costs_are_those_of_the_submission(written: Written):
    by_key = {one.entry.key: one for one in written.of("crema_d").models}
    many = cost_of(by_key["Example-Lab__Hearing-7B/crema_d/sc--64-draws"].model)
    assert many == {"draws": 64.0, "tokens": 64 * 40.0}
    unknown = cost_of(by_key["Example-Lab__Listener-3B/crema_d/walmv"].model)
    assert unknown == {"draws": 3.0, "tokens": None}


def test_an_entry_of_unknown_cost_is_on_no_front(written: Written):
    found = fronts(written.of("crema_d").models)
    assert not any("walmv" in point.key for point in found["tokens"])
    assert found["draws"][0].key == "Big-Co__Closed-Pro/crema_d/direct"
