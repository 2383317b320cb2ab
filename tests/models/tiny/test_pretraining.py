"""How the tiny model is taught and examined: batches are what transformers makes, a stopped training goes on."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Qwen3VLForConditionalGeneration

from dt2it_ray.data.scenes.claims import holds
from dt2it_ray.data.scenes.grading import grade
from dt2it_ray.data.scenes.questions import sample_questions
from dt2it_ray.data.scenes.render import render
from dt2it_ray.data.scenes.scene import COLOURS, SHAPES, WORDS, Bar, Scene, Thing, sample_scene
from dt2it_ray.data.scenes.wording import claims_in
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.collate import Encoder
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.protocols import Completion, GenerationRequest
from dt2it_ray.models.tiny import pretrain as pretraining
from dt2it_ray.models.tiny import tiny_path
from dt2it_ray.models.tiny.architecture import image_processor, tiny_config
from dt2it_ray.models.tiny.batches import NOT_LEARNED, WIDTH_STEP, encode_lessons, pad
from dt2it_ray.models.tiny.exam import mark, write_card
from dt2it_ray.models.tiny.lessons import Course, Lesson, lesson
from dt2it_ray.models.tiny.optimizers import Optimizer, Rates
from dt2it_ray.models.tiny.pretrain import PretrainSettings, Progress, lesson_tokenizer, pretrain
from dt2it_ray.models.tiny.sight import Sight, ViewBatches
from dt2it_ray.models.tiny.views import GRID, LETTERS, letter_labels, patches, sight_labels

LESSONS = Course()
SHORT = PretrainSettings(lessons=64, batch_lessons=4, sight_batches=4, sight_images=4, tokenizer_lessons=200)


@pytest.fixture(scope="module")
def tokenizer():
    return lesson_tokenizer(SHORT)


def test_only_learned_answers_carry_the_loss_and_they_end_with_the_end_of_their_turn(tokenizer) -> None:
    each = lesson("3", LESSONS)
    (encoded,) = encode_lessons(tokenizer, [each])
    learned = "".join(turn.text + "<|im_end|>" for turn in each.turns if turn.learned)
    labels = encoded.labels[encoded.labels != NOT_LEARNED]
    assert tokenizer.decode(labels) == learned
    assert (labels == encoded.ids[encoded.labels != NOT_LEARNED]).all()


def test_whether_an_answer_and_the_rest_of_it_are_right_is_told_where_a_reward_is_read(tokenizer) -> None:
    each = next(each for number in range(99) if len(verdicts_of(each := lesson(number, LESSONS))) > 2)
    (encoded,) = encode_lessons(tokenizer, [each])
    told = (encoded.verdicts[:, :2] != NOT_LEARNED).any(axis=-1)
    assert tokenizer.decode(encoded.ids[told]) == "<|im_end|>\n" * len(verdicts_of(each))
    assert encoded.verdicts[told].tolist() == [[*verdict, NOT_LEARNED] for verdict in verdicts_of(each) for _ in "01"]


def test_whether_a_sentence_is_true_is_told_at_its_end(tokenizer) -> None:
    lessons = [each for number in range(40) if len((each := lesson(number, LESSONS)).scenes) == 1]
    judged = 0
    for each, encoded in zip(lessons, encode_lessons(tokenizer, lessons), strict=True):
        places = np.flatnonzero(encoded.verdicts[:, 2] != NOT_LEARNED)
        expected = [(turn.text[: end + 1], true) for turn in each.turns for end, true in turn.sentences]
        judged += len(expected)
        for place, (text, true) in zip(places, expected, strict=True):
            assert tokenizer.decode(encoded.ids[: place + 1]).rstrip("\n").endswith(text)
            (last,) = claims_in(re.split(r"[.!?\n。！？]+", text.rstrip(".!?\n。！？"))[-1])
            assert encoded.verdicts[place].tolist() == [NOT_LEARNED, NOT_LEARNED, int(true)]
            assert holds(each.scenes[0], last) == true
    assert judged > 100


def verdicts_of(each: Lesson) -> list[list[int]]:
    """Of every judged turn: whether it is right, and whether its rest is."""
    judged = [(turn.right, turn.rest_right) for turn in each.turns if turn.right is not None]
    return [[NOT_LEARNED if verdict is None else int(verdict) for verdict in verdicts] for verdicts in judged]


def test_patches_are_those_of_the_image_processor(tokenizer) -> None:
    scenes = [sample_scene(number) for number in range(4)]
    encoder = Encoder(tokenizer, image_processor(), CollateSettings())
    pictures = [encoder.picture(render(scene)) for scene in scenes]
    assert {picture.grid for picture in pictures} == {(1, GRID, GRID)}
    np.testing.assert_allclose(patches(scenes), np.concatenate([p.patches for p in pictures]), atol=1e-6)


def test_rotary_positions_are_those_of_the_model(tokenizer) -> None:
    lessons = [lesson(number, LESSONS) for number in range(6)]
    batch = pad(lessons, encode_lessons(tokenizer, lessons))
    model = Qwen3VLForConditionalGeneration(tiny_config(tokenizer))
    attended = (batch.ids != tokenizer.pad_token_id).long()
    kinds = (batch.ids == model.config.image_token_id).int()
    expected, _ = model.model.get_rope_index(batch.ids, kinds, batch.views.grids, attention_mask=attended)
    assert batch.ids.shape[1] % WIDTH_STEP == 0
    assert torch.equal(batch.positions[:, attended.bool()], expected[:, attended.bool()])


def test_image_tokens_are_asked_what_stands_in_their_cell_and_what_the_picture_holds() -> None:
    things, bars = (Thing("star", "red", 4),), (Bar("blue", 6),)
    labels = sight_labels(Scene(things, "CAT", 0, (), look=1))
    assert labels[4].tolist() == [SHAPES.index("star") + 1, 1, 4, WORDS.index("CAT") + 1, 0]
    assert labels[0].tolist() == [0, 0, 0, WORDS.index("CAT") + 1, 0]
    told = sight_labels(Scene((), "", 0, bars, look=1))
    bar = [len(SHAPES) + 1, COLOURS.index("blue") + 1]
    assert told[[0, 3, 6]].tolist() == [[*bar, cell, 0, 6] for cell in (0, 3, 6)]
    assert told[[1, 2]].tolist() == [[0, 0, cell, 0, 0] for cell in (1, 2)]


def test_a_cell_is_asked_for_the_letters_that_lie_in_it() -> None:
    letters = letter_labels(Scene((), "CAT", 2, (), look=1))
    spelled = [[letter for letter, there in zip(LETTERS, cell, strict=True) if there] for cell in letters]
    assert spelled == [[], [], [], [], [], [], ["C"], ["A"], ["T"]]


def test_sight_is_learned_from_tokens_of_any_length() -> None:
    torch.manual_seed(0)
    views, sight = ViewBatches(1, 8)[0], Sight(16)
    look = torch.nn.Linear(4 * 1536, 16)
    optimizer = Optimizer(torch.nn.ModuleList([look, sight]), [], Rates(warmup=0), steps=40)
    losses = []
    for step in range(40):
        tokens = look(views.pixels.reshape(len(views.labels), -1))
        loss = sight.loss(1000 * tokens, views)
        loss.backward()
        optimizer.step(step)
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]


def test_a_stopped_training_goes_on_to_the_same_weights(
    tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretraining, "STATE_EVERY", 5)

    def stop_at_12(done: Progress, model: object) -> None:
        if done.step == 12:
            raise KeyboardInterrupt

    whole, _ = pretrain(SHORT, tokenizer, "cpu", 0, tmp_path / "whole.pt", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        pretrain(SHORT, tokenizer, "cpu", 0, tmp_path / "state.pt", stop_at_12)
    resumed, _ = pretrain(SHORT, tokenizer, "cpu", 0, tmp_path / "state.pt", lambda *_: None)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    other = SHORT.model_copy(update={"doubt": 0.1})
    with pytest.raises(ConfigError, match="other settings"):
        pretrain(other, tokenizer, "cpu", 0, tmp_path / "state.pt", lambda *_: None)
    monkeypatch.setattr(pretraining, "ANSWER_DRILLS", Course(drills=1, comparisons=1))
    with pytest.raises(ConfigError, match="other lessons"):
        pretrain(SHORT, tokenizer, "cpu", 0, tmp_path / "state.pt", lambda *_: None)


class Knowing:
    """Answers the exam's questions from the scenes themselves; of two images it always prefers the first."""

    def __init__(self, scenes: int) -> None:
        self._answers = {}
        for number in range(scenes):
            scene = sample_scene(f"exam {number}")
            for language in ("en", "zh"):
                for question in sample_questions(scene, f"exam {number}", language, 2):
                    self._answers[render(scene), question.text] = self._right_answer(scene, question)

    def _right_answer(self, scene, question) -> str:
        from dt2it_ray.data.scenes.answers import write_answer

        answer = write_answer(scene, question, question.value, "terse", question.language)
        assert grade(scene, question, answer).main == "right"
        return answer

    def generate(self, requests: list[GenerationRequest]) -> list[list[Completion]]:
        texts = [self._answers.get((r.images[0], r.key), "Image 1 is better than Image 2.") for r in requests]
        return [[Completion(text, "stop", 1)] for text in texts]


def test_the_exam_marks_right_answers_and_the_card_tells(tmp_path: Path) -> None:
    marks = mark(Knowing(20), scenes=20)
    for each in marks:
        assert each.right == each.asked or each.family == "two images"
    (two,) = [each for each in marks if (each.family, each.language) == ("two images", "en")]
    assert 0 < two.right < two.asked == 20
    write_card(tmp_path, SHORT, marks, "1 min")
    assert f"| two images | en | 20 | {two.right / 20:.3f} |" in (tmp_path / "README.md").read_text()


def test_the_shipped_model_is_small_and_complete() -> None:
    files = {path.name for path in tiny_path().iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "README.md"} <= files
    assert sum(path.stat().st_size for path in tiny_path().iterdir()) < 8 * 2**20
