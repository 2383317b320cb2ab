"""Models that read critiques score alone, behind their own ones, or behind those of an engine that all share."""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dt2it_ray.data.chat import answered
from dt2it_ray.errors import ConfigError
from dt2it_ray.models import transformers_generator
from dt2it_ray.models.assessment import Assessment, assess
from dt2it_ray.models.critic import Critic
from dt2it_ray.models.critic_settings import CriticSampling, CriticSettings, find_critic, reads_critiques
from dt2it_ray.models.endpoint.settings import EndpointSettings
from dt2it_ray.models.engines import EngineSettings
from dt2it_ray.models.ensemble import write_ensemble
from dt2it_ray.models.model_settings import SamplingSettings, ScoreSettings
from dt2it_ray.models.open_critic import Critics, open_critics
from dt2it_ray.models.open_scorer import open_scorer
from dt2it_ray.models.protocols import Conversation, Scorer
from dt2it_ray.models.torch_scorer import TorchScorer
from dt2it_ray.models.transformers_generator import TransformersGenerator
from tests.models.critical_models import FakeWriter, write_critical_models
from tests.models.random_model import picture

RAW = ScoreSettings()
SHORT = CriticSettings(sampling=CriticSampling(max_new_tokens=6))
CHATS = [Conversation(tuple(answered("How many?", 1, text)), (picture(1),)) for text in ("three", "two red circles")]
SERVER = CriticSettings(engine=EngineSettings(kind="endpoint", endpoint=EndpointSettings(model="m", url="http://x/v1")))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_critical_models(tmp_path_factory.mktemp("critical"))


def told(scorer: Scorer, chats: Sequence[Conversation] = CHATS) -> list[Assessment]:
    made = [each for each in assess(scorer, chats) if isinstance(each, Assessment)]
    assert len(made) == len(chats)
    return made


def test_a_model_scores_behind_the_critiques_that_it_writes_itself(folders: dict[str, str]) -> None:
    folder = folders["first"]
    scorer = open_scorer(folder, RAW, threads=1, critics=open_critics(SHORT, RAW, threads=1))
    made = told(scorer)
    critiques = [each.critiques[0] for each in made]
    own = TransformersGenerator(folder, SamplingSettings(temperature=0, max_new_tokens=6), threads=1)
    assert critiques == Critic(own).write(CHATS)
    reader = TorchScorer(folder, RAW, threads=1)
    behind = [replace(chat, critique=text) for chat, text in zip(CHATS, critiques, strict=True)]
    assert [each.reward for each in made] == reader.score(behind) == scorer.score(CHATS)


def test_a_model_writes_with_the_weights_that_it_scores_with(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers_generator, "load_language_model", lambda *_: pytest.fail("loaded again"))
    told(open_scorer(folders["first"], RAW, threads=1, critics=open_critics(SHORT, RAW, threads=1)))


def test_without_settings_the_model_itself_writes_and_keeps_its_fingerprint(folders: dict[str, str]) -> None:
    plain = open_scorer(folders["plain"], RAW, threads=1)
    assert [each.critiques for each in told(plain)] == [(), ()]
    own = open_scorer(folders["first"], RAW)
    assert own.fingerprint == TorchScorer(folders["first"], RAW).fingerprint


def test_who_writes_is_part_of_the_fingerprint(folders: dict[str, str]) -> None:
    prints = {
        open_scorer(folders["first"], RAW, critics=Critics(how, RAW, generator=writer)).fingerprint
        for how, writer in ((CriticSettings(), None), (SHORT, None), (SERVER, FakeWriter()))
    }
    assert len(prints) == 3


def test_an_engine_is_asked_once_for_all_members_of_an_ensemble(folders: dict[str, str], tmp_path: Path) -> None:
    names = ("first", "second", "plain", "reader")
    write_ensemble(str(tmp_path / "all"), [folders[name] for name in names], calibrated=False)
    writer = FakeWriter()
    critics = Critics(SERVER, RAW, threads=1, generator=writer)
    made = told(open_scorer(str(tmp_path / "all"), RAW, threads=1, critics=critics))
    assert [each.critiques for each in made] == [("Of three",), ("Of two red circles",)]
    assert len(writer.asked) == 2
    alone = [each.reward for each in told(open_scorer(folders["plain"], RAW, threads=1))]
    behind = [replace(chat, critique=each.critiques[0]) for chat, each in zip(CHATS, made, strict=True)]
    readers = [TorchScorer(folders[name], RAW, threads=1) for name in names if name != "plain"]
    others = [[each.reward for each in told(reader, behind)] for reader in readers]
    means = [statistics.fmean(rewards) for rewards in zip(alone, *others, strict=True)]
    assert [each.reward for each in made] == pytest.approx(means, abs=1e-6)
    critics.close()
    assert writer.closed == 1


def test_members_that_write_their_own_tell_each_of_theirs(folders: dict[str, str], tmp_path: Path) -> None:
    write_ensemble(str(tmp_path / "two"), [folders["first"], folders["plain"]], calibrated=False)
    critics = open_critics(SHORT, RAW, threads=1)
    both = told(open_scorer(str(tmp_path / "two"), RAW, threads=1, critics=critics))
    alone = told(open_scorer(folders["first"], RAW, threads=1, critics=critics))
    assert [each.critiques for each in both] == [each.critiques for each in alone]


def test_a_model_that_only_learned_to_read_needs_somebody_who_writes(folders: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"reader learned to read .* name who writes them in critic\.engine"):
        open_scorer(folders["reader"], RAW)
    critics = Critics(SERVER, RAW, generator=FakeWriter())
    assert told(open_scorer(folders["reader"], RAW, critics=critics))[0].critiques == ("Of three",)


def test_settings_for_models_that_read_no_critiques_are_refused(folders: dict[str, str], tmp_path: Path) -> None:
    assert find_critic(CriticSettings(), [folders["plain"]]) == CriticSettings()
    with pytest.raises(ConfigError, match=r"critic does nothing here: .*plain read no critiques"):
        find_critic(SHORT, [folders["plain"]])
    assert find_critic(SHORT, [folders["plain"], folders["first"]]) == SHORT
    write_ensemble(str(tmp_path / "all"), [folders["plain"], folders["second"]], calibrated=False)
    assert reads_critiques(str(tmp_path / "all"))


def test_the_checkpoint_of_an_engine_counts_by_its_content(folders: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"engine\.model is missing: kind: transformers"):
        CriticSettings(engine=EngineSettings())
    with pytest.raises(ConfigError, match=r"backbone=.*gone"):
        find_critic(CriticSettings(engine=EngineSettings(model=str(tmp_path / "gone"))), [folders["first"]])
    found = find_critic(CriticSettings(engine=EngineSettings(model=folders["second"])), [folders["first"]])
    assert found.engine is not None
    assert found.engine.backbone is not None
    assert "path" not in found.model_dump()["engine"]["backbone"]
