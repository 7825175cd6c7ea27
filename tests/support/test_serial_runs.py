"""Runs of serial numbers, against every stretch looked at one by one; and how likely they are."""

from fractions import Fraction
from math import exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.serial_runs import LEAST, REACH, UNLIKELY, chance_of, find_runs


def plain_chance(count, expected):
    """Term by term, from exact fractions."""
    rest = sum(Fraction(expected) ** each / factorial(each) for each in range(count, count + 150))
    return float(rest * Fraction(exp(-expected)))


@given(count=st.integers(0, 40), expected=st.floats(1e-6, 30))
def test_chance_of_is_the_tail_of_poissons_distribution(count, expected):
    assert chance_of(count, expected) == pytest.approx(plain_chance(count, expected), rel=1e-6)


def test_chances_too_small_for_a_number_are_none_and_certain_ones_are_one():
    assert chance_of(0, 5.0) == 1.0
    assert chance_of(3, 0.0) == 0.0
    assert chance_of(500, 0.01) == 0.0
    assert chance_of(10, 100_000.0) == pytest.approx(1.0)


def plain_runs(serials, exposed, usual):
    """Every stretch of neighbours among the tried; those that are unusual, joined where they share a card."""
    hits = []
    for first in range(len(serials)):
        for last in range(first, len(serials)):
            tried, cards = last - first + 1, serials[last] - serials[first] + 1
            rate = max(usual, (len(serials) - tried) / max(exposed - cards, 1))
            if tried >= LEAST and cards <= REACH and chance_of(tried - 1, rate * (cards - 1)) < UNLIKELY:
                hits.append(set(range(first, last + 1)))
    joined = []
    for hit in hits:
        touching = [run for run in joined if run & hit]
        joined = [run for run in joined if not run & hit] + [hit.union(*touching)]
    return sorted((serials[min(run)], serials[max(run)], len(run)) for run in joined)


# Clusters, because numbers strewn evenly never make a run.
_clusters = st.lists(st.tuples(st.integers(0, 3000), st.lists(st.integers(0, 130), max_size=10)), max_size=6).map(
    lambda made: sorted({start + step for start, steps in made for step in steps})
)


@given(serials=_clusters, more=st.integers(0, 20_000), usual=st.sampled_from([0.001, 0.003, 0.02]))
def test_find_runs_finds_what_looking_at_every_stretch_finds(serials, more, usual):
    exposed = len(serials) + more
    found = find_runs(serials, exposed=exposed, usual=usual)
    assert [(run.first, run.last, run.tried) for run in found] == plain_runs(serials, exposed, usual)


def test_a_run_says_what_it_was_measured_by():
    (run,) = find_runs([10, 13, 14, 20, 22, 5000], exposed=10_000, usual=0.001)
    assert (run.first, run.last, run.tried, run.cards) == (10, 22, 5, 13)
    assert run.expected == pytest.approx(0.013)
    assert run.chance == pytest.approx(plain_chance(4, 0.012), rel=1e-6)


def test_cards_farther_apart_than_the_reach_are_no_run():
    near = [1000, 1020, 1040, 1060, 1080, 1099]
    assert [(run.first, run.last) for run in find_runs(near, exposed=100_000, usual=0.0005)] == [(1000, 1099)]
    assert find_runs([1000, 1200, 1400, 1600, 1800, 2000], exposed=100_000, usual=0.0005) == []
    assert find_runs([1000, 1001, 1002], exposed=100_000, usual=0.0005) == []


def test_four_neighbours_are_a_run_and_three_are_none():
    (run,) = find_runs([500, 1000, 1001, 1003, 1004], exposed=10_000, usual=0.001)
    assert (run.first, run.last, run.tried) == (1000, 1004, 4)
    assert find_runs([500, 1000, 1001, 1003], exposed=10_000, usual=0.001) == []


def test_a_batch_tried_all_over_has_no_runs():
    assert find_runs(range(0, 50_000, 10), exposed=50_000, usual=0.001) == []
