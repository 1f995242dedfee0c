"""Examples of scores and their texts, by which the formatting of the service and of the page are compared."""

import json
from pathlib import Path
from typing import Any

SCORE_TEXTS_FILE = Path(__file__).with_suffix(".json")
SCORE_TEXTS: list[dict[str, Any]] = json.loads(SCORE_TEXTS_FILE.read_text())
