"""What can be asked about a scene: a question with its true value and plausible false ones."""

from dataclasses import dataclass

from dt2it_ray.data.scenes.claims import FAMILIES, FAMILY, Claim, balanced, false_values, true_claims
from dt2it_ray.data.scenes.scene import Scene, drawer
from dt2it_ray.data.scenes.wording import question_text


@dataclass(frozen=True)
class Question:
    """A question about a scene. `relation` and `subject` say what is asked, `value` is the true answer."""

    family: str
    text: str
    language: str
    relation: str
    subject: str
    value: str
    false_values: tuple[str, ...]

    def claim(self, value: str) -> Claim:
        """The claim that an answer with this value makes."""
        return Claim(self.relation, self.subject, value)


def ask(scene: Scene, claim: Claim, language: str, form: int) -> Question:
    """The question to which the true claim is the answer."""
    text = question_text(claim.relation, claim.subject, language, form)
    family = FAMILY[claim.relation]
    return Question(family, text, language, claim.relation, claim.subject, claim.value, false_values(scene, claim))


def sample_questions(scene: Scene, seed: int | str, language: str, number: int) -> list[Question]:
    """Up to `number` different questions, families by turns, with balanced true values."""
    draw = drawer("questions", seed)
    claims = balanced(true_claims(scene), draw)
    by_family: dict[str, list[Claim]] = {family: [] for family in FAMILIES}
    for claim in claims:
        by_family[FAMILY[claim.relation]].append(claim)
    queues = [draw.sample(queue, len(queue)) for queue in by_family.values() if queue]
    draw.shuffle(queues)
    questions: list[Question] = []
    while queues and len(questions) < number:
        queues = [queue for queue in queues if queue]
        questions += [ask(scene, queue.pop(), language, draw.randrange(8)) for queue in queues]
    return questions[:number]
