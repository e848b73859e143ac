"""Conduction velocity in `cardiotwin verify`: openCARP's table."""

from cardiotwin.verification import velocity


def test_a_conductivity_apart_from_that_of_opencarp_is_said(monkeypatch):
    monkeypatch.setattr(velocity, "tune", lambda *_, **__: (0.1215, 0.0))
    assert not velocity.opencarp_row(0.6, 0.1195, 0.1200)["ok"]
    monkeypatch.setattr(velocity, "tune", lambda *_, **__: (0.1190, 0.0))
    assert velocity.opencarp_row(0.6, 0.1195, 0.1200)["ok"]
