"""A served reward equals the score step's, to the last digit, with the real scorer and a real architecture."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.models.protocols import Conversation, Scorer
from dt2it_ray.serving.api import Scored, build_api
from dt2it_ray.serving.auth import token_digest
from dt2it_ray.serving.replica import Shelf, score_by_model
from dt2it_ray.serving.settings import ServeSettings
from dt2it_ray.stages.score import SCORE, score_batch
from tests.serving.chats import data_url, png, question

TOKEN = "correct-horse"
IMAGES = {"red": png(40, "red"), "blue": png(64, "blue")}
ASKED = [
    ("How many red circles are in the image?", ["red"], ["Three.", "There are three red circles.", ""]),
    ("图中有几个圆?", ["blue", "red"], ["三个。", "I see 3."]),
    ("What is two plus two?", [], ["4", "It is 4."]),
]


READOUTS: list[dict[str, Any]] = [{}, {"head": "silu", "pooling": "mean", "fusion": "cross_attention"}]


@pytest.fixture(scope="module", params=READOUTS, ids=["plain", "fused"])
def scorer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scorer]:
    import torch

    from dt2it_ray.models.collate import open_encoder
    from dt2it_ray.models.model_settings import CollateSettings
    from dt2it_ray.models.reward_files import RewardConfig, new_reward_model, save_reward_model
    from dt2it_ray.models.reward_settings import ModelSettings
    from dt2it_ray.models.torch_scorer import TorchScorer
    from tests.models.random_model import write_random_model

    root = tmp_path_factory.mktemp("model")
    backbone = str(write_random_model(root / "backbone"))
    model = new_reward_model(backbone, "float32", seed=0, settings=ModelSettings(**request.param))
    config = RewardConfig(name="iter-00", **request.param)
    save_reward_model(model, open_encoder(backbone, CollateSettings()), config, str(root / "model"))
    threads = torch.get_num_threads()
    yield TorchScorer(str(root / "model"), threads=1)
    torch.set_num_threads(threads)


class InMemory:
    """The replica's own shelf and batching by model, without Ray."""

    names = ("iter-00",)

    def __init__(self, scorer: Scorer, folder: Path) -> None:
        self._shelf = Shelf({"iter-00": str(folder)}, lambda _: scorer, room=1)

    async def score(self, model: str, conversations: Sequence[Conversation]) -> Scored:
        """Rewards of one request, in one batch."""
        readings = score_by_model(self._shelf, [(model, conversation) for conversation in conversations])
        told = [reading for reading in readings if not isinstance(reading, Exception)]
        return Scored(told[0][0], [each for _, each in told])


def score_table(scorer: Scorer) -> dict[tuple[str, str], float]:
    """Scores by question and answer, as the score step writes them."""
    rows: list[dict[str, Any]] = [
        {
            "prompt_id": text,
            "images": [{"bytes": IMAGES[name], "path": None} for name in names],
            "question": text,
            "answers": [{"answer_id": answer, "text": answer} for answer in answers],
        }
        for text, names, answers in ASKED
    ]
    batch = pa.Table.from_pylist(rows, schema=PROMPTS).select(SCORE.reads.names)
    told = score_batch(batch, scorer).rows.to_pylist()
    return {(row["prompt_id"], row["answer_id"]): row["score"] for row in told}


def served(scorer: Scorer, folder: Path, body: dict[str, Any]) -> list[float]:
    """Rewards told by the HTTP application."""
    return [entry["logit"] for entry in asked(scorer, folder, body)["data"]]


def asked(scorer: Scorer, folder: Path, body: dict[str, Any], settings: ServeSettings | None = None) -> dict[str, Any]:
    """What the HTTP application answers."""

    async def send() -> httpx.Response:
        api = build_api(InMemory(scorer, folder), settings or ServeSettings(), token_digest(TOKEN))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://server") as client:
            return await client.post("/v1/reward", headers=headers, json={"model": "iter-00", **body})

    response = asyncio.run(send())
    assert response.status_code == 200, response.text
    return response.json()


def test_served_rewards_equal_the_score_table(scorer: Scorer, tmp_path: Path) -> None:
    table = score_table(scorer)
    assert len(set(table.values())) > 4
    assert all(score == round(score, 6) for score in table.values())
    for text, names, answers in ASKED:
        prompt = [question(text, *(data_url(IMAGES[name]) for name in names))]
        expected = [table[text, answer] for answer in answers]
        assert served(scorer, tmp_path, {"prompt": prompt, "answers": answers}) == expected
        turns = [*prompt, {"role": "assistant", "content": answers[0]}]
        assert served(scorer, tmp_path, {"messages": turns}) == expected[:1]


@pytest.mark.parametrize("calibrated", [False, True])
def test_the_reply_says_whether_rewards_are_calibrated(scorer: Scorer, tmp_path: Path, calibrated: bool) -> None:
    settings = ServeSettings.model_validate({"score": {"calibrated": calibrated}})
    turns = [question("What is two plus two?"), {"role": "assistant", "content": "4"}]
    assert asked(scorer, tmp_path, {"messages": turns}, settings)["calibrated"] is calibrated


def test_rewards_do_not_depend_on_the_neighbours_in_a_request(scorer: Scorer, tmp_path: Path) -> None:
    table = score_table(scorer)
    wanted = [(text, names, answer) for text, names, answers in reversed(ASKED) for answer in answers]
    chats = [
        {
            "messages": [
                question(text, *(data_url(IMAGES[name]) for name in names)),
                {"role": "assistant", "content": answer},
            ]
        }
        for text, names, answer in wanted
    ]
    assert served(scorer, tmp_path, {"conversations": chats}) == [table[text, answer] for text, _, answer in wanted]
