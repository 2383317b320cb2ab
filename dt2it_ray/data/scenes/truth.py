"""What the `scene` column holds: the planted truth of a prompt, by which any answer to it can be graded."""

import json
from dataclasses import asdict, dataclass

from dt2it_ray.data.scenes.claims import FAMILY, Claim, false_values
from dt2it_ray.data.scenes.grading import BASE, Grade, grade
from dt2it_ray.data.scenes.questions import Question
from dt2it_ray.data.scenes.scene import Scene
from dt2it_ray.data.t2i_wording import FIRST_BETTER, SECOND_BETTER
from dt2it_ray.errors import InputError

BETTER_IMAGE = "better_image"
"""The relation asked for by two-image rows; its value is the number of the better image, "1" or "2"."""
CHOICES = {"1": FIRST_BETTER, "2": SECOND_BETTER}
"""The answer to a two-image question by the number of the better image."""


@dataclass(frozen=True)
class Truth:
    """The scenes of a prompt in the order of its images, and the true claim that answers its question."""

    scenes: tuple[Scene, ...]
    asked: Claim

    def to_json(self) -> str:
        """The truth as one line of JSON; `from_json` gives an equal one back."""
        tree = {"scenes": [asdict(scene) for scene in self.scenes], "asked": asdict(self.asked)}
        return json.dumps(tree, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> "Truth":
        """The truth that `to_json` wrote.

        Raises:
            InputError: the text is not such a record.
        """
        try:
            tree = json.loads(text)
            scenes = tuple(Scene.from_json(json.dumps(scene)) for scene in tree["scenes"])
            return Truth(scenes, Claim(**tree["asked"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"the column `scene` holds no planted truth ({type(error).__name__}: {error}) in {str(text)[:80]!r}; "
                "write it with Truth.to_json, or leave it null"
            ) from None

    def grade(self, question: str, language: str, answer: str) -> Grade:
        """How good the answer to the question is."""
        if self.asked.relation == BETTER_IMAGE:
            return _grade_choice(self.asked.value, answer)
        claim = self.asked
        false = false_values(self.scenes[0], claim)
        asked = Question(FAMILY[claim.relation], question, language, claim.relation, claim.subject, claim.value, false)
        return grade(self.scenes[0], asked, answer)


def _grade_choice(better: str, answer: str) -> Grade:
    named = {value for value, sentence in CHOICES.items() if sentence.lower() in answer.lower()}
    main = "missing" if not named else "right" if named == {better} else "wrong"
    return Grade(main, 0, 0, BASE[main])
