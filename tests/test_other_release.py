"""Results that another release wrote are read where that is possible, so that earlier versions can be shown."""

import json
import math

import pytest
from small_study import small_comparison

from cardiotwin.comparison.results import Comparison
from cardiotwin.errors import IntegrityError
from cardiotwin.storage import artefact


def written(folder, change):
    """A comparison as `change` would have written it."""
    artefact.write(folder, small_comparison())
    path = folder / artefact.VALUE
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    return folder


def test_fields_that_it_had_are_left_out_and_those_that_it_had_not_are_their_defaults(tmp_path):
    def older(tree):
        del tree["untested"], tree["plans"][0]["probability_not_worse"]
        tree["plans"][0]["new_circuits_interval"] = [0.0, 2.0]

    read, now = artefact.read(written(tmp_path, older), Comparison), small_comparison()
    assert (read.untested, read.preference, read.plans[1:]) == (0, now.preference, now.plans[1:])
    assert math.isnan(read.plans[0].probability_not_worse)
    assert read.plans[0].inducible == now.plans[0].inducible


def test_without_what_nothing_stands_for_it_is_refused_in_a_line(tmp_path):
    def damaged(tree):
        del tree["plans"][0]["rank"]

    with pytest.raises(IntegrityError, match=r"rank.*damaged, or of a release that is no longer read") as refused:
        artefact.read(written(tmp_path, damaged), Comparison)
    assert "\n" not in str(refused.value)
