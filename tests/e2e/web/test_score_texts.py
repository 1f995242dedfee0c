"""The page writes scores as the service does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from playwright._impl._driver import compute_driver_executable

from tests.support.score_texts import SCORE_TEXTS

SOURCE = Path(__file__).parents[3] / "web" / "src" / "format" / "score.ts"

WRITE_ALL = """
const [source, examples] = process.argv.slice(1)
const { scoreText, changeText } = await import(source)
const texts = JSON.parse(examples).map(({ format, score }) => [scoreText(format, score), changeText(format, score)])
console.log(JSON.stringify(texts))
"""


def test_the_page_writes_scores_as_the_service_does():
    # The Node.js of Playwright executes TypeScript.
    node, _ = compute_driver_executable()
    command = [node, "--no-warnings", "--input-type=module", "-e", WRITE_ALL, SOURCE.as_uri(), json.dumps(SCORE_TEXTS)]
    texts = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)  # noqa: S603
    assert texts == [[example["text"], example["change"]] for example in SCORE_TEXTS]
