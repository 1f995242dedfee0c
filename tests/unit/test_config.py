"""The settings are checked when they are loaded."""

import pytest

from app.config import SettingsError, load_settings


def test_an_unknown_fraud_threshold_is_named_together_with_the_known_ones():
    with pytest.raises(SettingsError) as refused:
        load_settings(fraud_thresholds={"neighbours_flag": 25, "velocity_flag": 30}, _env_file=None)
    (problem,) = refused.value.problems
    assert "FRAUD_THRESHOLDS" in problem
    assert "there is no threshold neighbours_flag" in problem
    assert "accounts_per_address_flag" in problem


def test_known_fraud_thresholds_replace_the_defaults():
    settings = load_settings(fraud_thresholds={"velocity_flag": 31}, _env_file=None)
    assert settings.fraud_thresholds.velocity_flag == 31
