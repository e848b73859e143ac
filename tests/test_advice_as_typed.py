"""What a refusal says to set in twin.toml works as it is typed: under its section, a key that is there."""

import re
import tomllib

import pytest

from cardiotwin.anatomy import mesh_fineness, mesh_holes
from cardiotwin.ingest import anatomy
from cardiotwin.settings import Settings

GIVEN = [
    mesh_fineness.ALLOW,
    mesh_fineness.OTHER_MODEL,
    mesh_holes.ADVICE,
    anatomy.ADVICE["mesh"],
    anatomy.ADVICE["image"],
]


@pytest.mark.parametrize("advice", GIVEN)
def test_the_line_under_its_section_is_a_setting(advice):
    (found,) = re.findall(r'in twin\.toml, under (\[\w+\]), set (\w+ = (?:\w+|"\w+"))', advice)
    typed = tomllib.loads("\n".join(found))
    assert Settings.model_validate(typed) != Settings()
