"""Settings: the only package that reads the environment and `.env`."""

from app.config.load import SettingsError, load_settings, unknown_settings
from app.config.settings import DocumentMode, Settings

__all__ = ["DocumentMode", "Settings", "SettingsError", "load_settings", "unknown_settings"]
