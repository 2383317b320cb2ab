"""How an outside data set is read, checked and freed of what repeats: everything that alters a row of it."""

from typing import Literal

from pydantic import Field, model_validator

from dt2it_ray.data.formats.preferences.mapping import ColumnMapping
from dt2it_ray.data.formats.videos import FrameSampling
from dt2it_ray.data.images import MAX_PIXELS
from dt2it_ray.rules.alike import Nearness
from dt2it_ray.rules.contamination import Match
from dt2it_ray.rules.duplicates import Contradictions, Within
from dt2it_ray.settings import Settings

ImageUse = Literal["embed", "reference", "ignore"]


class RowLimits(Settings):
    """Which sound rows are wanted."""

    max_characters: int = Field(default=100_000, ge=1)
    """Of the turns, the question and both answers together. Longer rows are mostly broken exports: 100,000 characters
    are some 25,000 tokens, more than the longest context that reward models here are trained with."""
    languages: tuple[Literal["en", "zh"], ...] = ("en", "zh")
    """Languages of questions: `zh` if there is a Chinese character, else `en` (the rule of arXiv 2604.19544)."""


class ImageLimits(Settings):
    """Which sound images are wanted."""

    max_bytes: int = Field(default=20 * 2**20, ge=1)
    """Of one image as it is stored: what the large providers accept, too."""
    max_pixels: int = Field(default=MAX_PIXELS, ge=1, le=MAX_PIXELS)
    """Of one image."""


class FrameSettings(Settings):
    """Which frames stand for a video, in rows that name one."""

    count: int = Field(default=8, ge=1, le=256)
    """Most frames. Without `fps`: so many, from the middles of equal parts."""
    fps: float | None = Field(default=None, gt=0)
    """Frames of each second; if they are more than `count`, evenly chosen ones of them."""

    def sampling(self) -> FrameSampling:
        """The same for the reader."""
        return FrameSampling(self.count, self.fps)


class NearSettings(Settings):
    """When images or questions that are not equal count as the same. They do not, unless `use` names them."""

    use: tuple[Literal["images", "questions"], ...] = ()
    """What is compared nearly. Images cost next to nothing once they are opened, questions some 50 us a row."""
    look_bits: int = Field(default=4, ge=0, le=16)
    """Most of the 64 bits of a perceptual hash that differ. Of 600 rendered scenes, saved as JPEG of quality 60, all
    but 0.3 % stay within 4 bits; of two different scenes 0.07 % do."""
    question_alike: float = Field(default=0.8, gt=0, le=1)
    """Least part of the shingles that two questions share, estimated. 0.8 is what web corpora are cleaned with (Lee et
    al. 2022, arXiv 2107.06499)."""

    def nearness(self) -> Nearness:
        """What is to be compared, and how nearly."""
        return Nearness(
            self.look_bits if "images" in self.use else None, self.question_alike if "questions" in self.use else None
        )


class DuplicateSettings(Settings):
    """Which rows repeat others; the first by file and row stays."""

    within: Within | Literal["none"] = "pair"
    """`pair`: the same prompt and answers; `prompt`: the same images and question, whatever the answers; `none`: rows
    are not compared. One prompt with several pairs is usual in preference data, so that `pair` is the default."""
    contradictions: Contradictions = "drop"
    """Pairs of one prompt that prefer opposite answers: `drop` all of them, for nothing says which is right, or
    `keep_first`. They are looked for where `within` is `pair`."""
    near: NearSettings = NearSettings()
    """Off: rows are the same if their images are (byte by byte), their answers, and their questions (but for case,
    spaces and the mark at the end)."""


class DecontaminationSettings(Settings):
    """Which rows stand in a benchmark. They are dropped, counted by benchmark."""

    benchmarks: dict[str, str] = Field(default_factory=dict)
    """Folders by benchmark, e.g. `{vl_rewardbench: /data/VL-RewardBench}`. Where two are of one format, each has a name
    of its own behind it: `{flat@mine: /data/mine, flat@theirs: /data/theirs}`. Empty: nothing is compared."""
    match: Match = "image"
    """What a row has to share with a benchmark: an `image` (rows without images: the question), the `question`, one of
    them (`either`), or `both`. Questions such as "Describe the image." stand everywhere, images do not."""
    near: NearSettings = NearSettings(use=("images",))
    """Benchmarks store images anew, so that the bytes of a copy often differ."""


class SignatureSettings(Settings):
    """How the wording of questions is summed up where they are compared nearly."""

    shingle: int = Field(default=4, ge=1, le=64)
    """Characters of a shingle; half as many of Chinese texts. Questions are short: of 8 characters few are shared."""
    permutations: int = Field(default=64, ge=8, le=1024)
    """Values of a signature. An estimated share is off by 0.05 (standard deviation); 256 halve that for four times the
    memory."""


class IngestSettings(Settings):
    """How one outside data set becomes preferences."""

    format: str = "llama_factory"
    """The format of its rows (docs/formats.md); `mapping` for columns named below."""
    mapping: ColumnMapping | None = None
    """Which columns say what, for rows of no known format."""
    images: ImageUse = "embed"
    """`embed`: open, check and store images with each row; `reference`: open and check them, and keep their paths;
    `ignore`: do not open them, so that those missing or broken are not noticed and are the same if their names are."""
    image_limits: ImageLimits = ImageLimits()
    frames: FrameSettings = FrameSettings()
    limits: RowLimits = RowLimits()
    duplicates: DuplicateSettings = DuplicateSettings()
    decontaminate: DecontaminationSettings = DecontaminationSettings()
    signature: SignatureSettings = SignatureSettings()

    @model_validator(mode="after")
    def _names_one_format(self) -> "IngestSettings":
        if (self.format == "mapping") != (self.mapping is not None):
            raise ValueError("format: mapping needs the settings `mapping`, and only it has them")
        return self

    @model_validator(mode="after")
    def _opens_what_it_compares(self) -> "IngestSettings":
        if self.images != "ignore":
            return self
        if "images" in self.duplicates.near.use:
            raise ValueError("duplicates.near.use: images that are ignored have no look; set images: reference")
        if self.decontaminate.benchmarks and self.decontaminate.match != "question":
            raise ValueError(
                "decontaminate.match: images that are ignored cannot be compared with a benchmark's; "
                "set images: reference, or decontaminate.match: question"
            )
        return self

    def compares_questions(self) -> bool:
        """Whether signatures are needed."""
        return any("questions" in near.use for near in (self.duplicates.near, self.decontaminate.near))
