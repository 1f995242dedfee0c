"""The schedule of faults follows from the seed."""

from itertools import islice

from tests.nemesis.faults import FAULTS
from tests.nemesis.schedule import rounds

NAMES = list(FAULTS)


def test_a_seed_repeats_its_schedule():
    assert list(islice(rounds(7, NAMES), 50)) == list(islice(rounds(7, NAMES), 50))
    assert list(islice(rounds(7, NAMES), 50)) != list(islice(rounds(8, NAMES), 50))


def test_every_fault_comes_before_one_comes_again():
    first = [planned.faults[0].name for planned in islice(rounds(7, NAMES), len(NAMES))]
    assert sorted(first) == sorted(NAMES)


def test_faults_that_overlap_break_different_things():
    pairs = [planned.names for planned in islice(rounds(7, NAMES), 500) if len(planned.faults) == 2]
    assert pairs
    for one, other in pairs:
        assert one.split()[0] != other.split()[0] or one.split()[2] != other.split()[2]
    assert all(len(planned.faults) <= 2 for planned in islice(rounds(7, NAMES), 500))
