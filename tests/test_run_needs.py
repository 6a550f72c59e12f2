"""What tasks of a run need is known to all of them once all are built, and to no other run."""

import pickle

from ambi_tasks.run_needs import RunNeeds


class Task:
    def __init__(self) -> None:
        self.needs = RunNeeds.join()

    def build(self, need=None) -> None:
        self.needs.state(self, need)


def test_tasks_that_are_made_together_share_their_needs():
    draws, reads = Task(), Task()
    draws.build()
    assert "read_out" not in draws.needs
    reads.build("read_out")
    assert "read_out" in draws.needs
    assert "verdict" not in draws.needs


def test_the_next_tasks_to_be_made_are_another_run():
    first = Task()
    first.build("verdict")
    second = Task()
    second.build()
    assert "verdict" in first.needs
    assert "verdict" not in second.needs


def test_the_same_tasks_may_be_built_again_and_not_all_of_them():
    reads, draws = Task(), Task()
    reads.build("read_out")
    draws.build()
    draws.build()
    assert "read_out" not in draws.needs


def test_what_was_pickled_says_nothing():
    task = Task()
    task.build("read_out")
    assert "read_out" not in pickle.loads(pickle.dumps(task.needs))
