from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from dt2it_ray.errors import ConfigError
from dt2it_ray.settings import Settings, load_settings


class Flip(Settings):
    share: float = Field(0.5, ge=0, le=1)
    """Part to flip."""


class Run(Settings):
    iterations: int = 2
    flip: Flip = Flip()
    flips: dict[str, Flip] = Field(default_factory=dict)
    """By name."""
    second: Flip | None = None
    more: dict[str, Flip | None] | None = None
    several: tuple[Flip, ...] = ()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text("iterations: 3\nflip:\n  share: 0.25\n")
    return path


def test_yaml_values_and_overrides_reach_their_fields(config: Path) -> None:
    settings = load_settings(Run, config, ["flip.share=0.75"])
    assert (settings.iterations, settings.flip.share) == (3, 0.75)


def test_an_override_may_name_a_group_that_the_file_lacks(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert load_settings(Run, path, ["flip.share=0.1"]).flip.share == 0.1


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("iteration=2", "did you mean iterations?"),
        ("flip.shares=0.2", "did you mean flip.share?"),
        ("flips.first.shares=0.2", "did you mean flips.first.share?"),
        ("second.shares=0.2", "did you mean second.share?"),
        ("more.first.shares=0.2", "did you mean more.first.share?"),
        ("several=[{shares: 0.2}]", "did you mean several.0.share?"),
        ("flip.share=1.5", "less than or equal to 1"),
        ("iterations", "key=value"),
        ("iterations.deep=1", "single value"),
        ("flip.share=[", "not valid YAML"),
    ],
)
def test_a_wrong_override_says_what_to_write_instead(config: Path, override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")) as caught:
        load_settings(Run, config, [override])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("text", "said"), [("- 1\n", "mapping"), ("a: [", "not valid YAML")])
def test_a_file_that_is_no_mapping_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"bad.yaml.*{said}"):
        load_settings(Run, path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml.*--config"):
        load_settings(Run, tmp_path / "none.yaml")


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError):
        Flip().share = 0.1  # pyright: ignore[reportAttributeAccessIssue]


def test_the_file_stands_before_the_defaults_and_overrides_before_both(config: Path) -> None:
    defaults = {"iterations": 7, "flip": {"share": 0.1}}
    assert load_settings(Run, None, defaults=defaults) == Run(iterations=7, flip=Flip(share=0.1))
    assert load_settings(Run, config, defaults=defaults) == Run(iterations=3, flip=Flip(share=0.25))
    assert load_settings(Run, config, ["flip.share=0.5"], defaults).flip.share == 0.5
    assert defaults == {"iterations": 7, "flip": {"share": 0.1}}
