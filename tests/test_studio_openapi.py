"""Whatever is sent to the studio by its own OpenAPI, right or wrong, is answered, and never with a fault."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from visitor import serving

EXAMPLES = 10  # of each way to ask
ENDLESS = "/api/events"
KINDS = ("compose", "fill", "vary", "accompany", "harmonise", "interpolate", "inspect", "train", "audition", "evaluate")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    with serving(tmp_path_factory.mktemp("openapi") / "kept") as studio:
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{studio.port}/api/openapi.json").exclude(path=ENDLESS)


def test_every_job_is_told(served: schemathesis.BaseSchema) -> None:
    told = {operation.ok().path for operation in served.get_all_operations()}
    assert {f"/api/jobs/{kind}" for kind in KINDS} <= told


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_it_answers_whatever_is_sent(served: schemathesis.BaseSchema, mode: GenerationMode) -> None:
    asked = 0
    for found in served.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
            continue  # there is nothing that could be wrong

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
        def answers(case: schemathesis.Case) -> None:
            nonlocal asked
            asked += 1
            answer = case.call()
            case.validate_response(answer, checks=[not_a_server_error])
            if answer.status_code >= 400 and answer.status_code not in (404, 405):
                assert answer.json()["detail"]

        answers()
    assert asked > 100
