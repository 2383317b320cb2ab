import re
from pathlib import Path

import pytest

from dt2it_ray.errors import StoreError
from dt2it_ray.pipeline.report_pages import gather_content, rewrite_report, write_report
from dt2it_ray.pipeline.run_record import read_run
from dt2it_ray.report.content import ReportContent
from dt2it_ray.store.files import Folder
from tests.pipeline.fake_loop import whole_run
from tests.pipeline.fake_run import SETTINGS, FakeRun, add_pool, add_start


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return whole_run(str(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def content(fake: FakeRun) -> ReportContent:
    return gather_content(read_run(fake.run), {"name": "demo"}, {})


@pytest.fixture(scope="module")
def page(fake: FakeRun) -> str:
    return Path(rewrite_report(fake.run)).read_text(encoding="utf-8")


def test_planted_truth_is_counted_over_all_and_by_source(content: ReportContent) -> None:
    everything, clean, flips = (truth for truth in content.truths if truth.name == "iter-02")
    assert (everything.pairs, everything.wrong, everything.repaired, everything.removed) == (27, 8, 6, 1)
    assert (everything.spoilt, everything.lost) == (1, 1)
    assert (everything.recall, everything.precision) == (7 / 8, 7 / 9)
    assert (everything.noise_before, everything.noise_after) == (8 / 27, 2 / 25)
    assert (clean.source, clean.recall, clean.precision) == ("clean", None, 0.0)
    assert (flips.source, flips.recall, flips.precision) == ("label_flips", 7 / 8, 7 / 8)


def test_fates_are_counted_by_source_and_rule(content: ReportContent) -> None:
    curation = content.curations[0]
    by_source = {tally.heading: tally.fates for tally in curation.by_source}
    assert by_source["label_flips"] == {"kept": 12, "flipped": 7, "dropped": 1}
    assert by_source["style_bias"] == {"kept": 5, "flipped": 1, "dropped": 0}
    assert {tally.heading: tally.total for tally in curation.by_rule} == {
        "consistent": 27,
        "too_few_votes": 1,
        "votes": 4,
        "votes_tied": 1,
    }


def test_the_counts_on_the_arrows_add_up(content: ReportContent) -> None:
    first = content.rounds[0]
    assert (first.voters, first.pool, first.flipped_by_vote, first.doubted) == (2, 33, 5, 6)
    assert sum(first.consistent.values()) + sum(first.rejudged.values()) == first.pool
    assert first.rejudged == {"kept": 1, "flipped": 3, "dropped": 2}
    start = content.construction
    assert start is not None
    assert (start.prompts, start.answered, start.agreed, start.compared, start.pairs) == (3, 2, 2, 6, 2)
    assert (start.t2i, start.t2i_first, start.trusted) == (2, 1, 4)


def test_every_fate_has_examples_and_their_label_is_the_sources(content: ReportContent) -> None:
    assert [len(curation.examples) for curation in content.curations] == [0, 11]
    examples = content.curations[1].examples
    assert {example.fate for example in examples if "wrong label" in example.fate} == {
        "A wrong label, flipped",
        "A wrong label, dropped",
        "A wrong label, missed",
    }
    assert all("answer A of" in example.labelled and "answer B of" in example.other for example in examples)
    assert dict(examples[0].evidence)["Flip threshold"] == "-0.50"


def test_refused_rows_are_told_with_their_reason(content: ReportContent) -> None:
    (refusal,) = content.refusals
    assert (refusal.step, refusal.reason, refusal.rows) == ("construct/generate", "too_few_answers", 1)
    assert refusal.detail == "4 samples gave 1 <b>answer</b>"


def test_the_page_shows_the_headline_figures(page: str) -> None:
    figures = re.findall(r'<dd class="figure">(.*?)</dd>', page)
    assert figures == ["0.890", "87.5%", "77.8%", "8.0%", "6 min 12 s"]
    assert "iter-02, +16.0 points against 0.730 from the trusted pairs and the raw pool" in page


def test_the_page_loads_nothing_and_runs_nothing(page: str) -> None:
    assert not re.search(r"https?://|//[a-z]|@import|url\(|<script|<link|<iframe", page)
    sources = re.findall(r'src="([^"]{0,22})', page)
    assert sources
    assert set(sources) == {"data:image/png;base64,"}


def test_hostile_text_is_shown_not_run(page: str) -> None:
    assert "&lt;script&gt;alert(" in page
    assert "1 &lt;b&gt;answer&lt;/b&gt;" in page


def test_an_image_that_cannot_be_decoded_leaves_a_note(page: str) -> None:
    assert page.count("image cannot be decoded") == 1


def test_every_picture_tells_what_it_shows(page: str) -> None:
    pictures = re.findall(r"<svg[^>]*>", page)
    assert len(pictures) == 8
    assert all('role="img"' in entry and 'aria-label="' in entry for entry in pictures)
    assert page.count("<img ") == page.count('alt="Image ')


def test_the_same_run_gives_the_same_bytes(fake: FakeRun, page: str) -> None:
    assert Path(rewrite_report(fake.run)).read_text(encoding="utf-8") == page


def write(fake: FakeRun) -> str:
    return Path(write_report(fake.run, SETTINGS, fake.finish())).read_text(encoding="utf-8")


def test_a_run_without_iterations_has_a_page(tmp_path: Path) -> None:
    text = write(whole_run(str(tmp_path), iterations=0))
    assert 'id="accuracy"' in text
    assert not re.search(r'id="(curation|truth|examples)"', text)


def test_a_run_without_a_baseline_says_so(tmp_path: Path) -> None:
    text = write(whole_run(str(tmp_path), iterations=1, baseline=False))
    assert "No baseline on the raw pool was trained in this run." in text
    assert "no raw-data baseline was trained" in text
    assert 'class="reference"' not in text


def test_a_run_without_planted_truth_shows_its_curation_only(tmp_path: Path) -> None:
    text = write(whole_run(str(tmp_path), iterations=1, truth=False))
    assert 'id="curation"' in text
    assert 'id="truth"' not in text
    assert "Flipped, truth not known" in text
    assert "Wrong labels caught" not in text


def test_a_run_with_only_a_pool_or_only_a_start_has_a_page(tmp_path: Path) -> None:
    for name, add in (("pool", add_pool), ("start", add_start)):
        fake = FakeRun(str(tmp_path / name))
        add(fake)
        assert f"<h1>{SETTINGS.name}</h1>" in write(fake)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    fake = whole_run(str(tmp_path), iterations=0)
    fake.run.delete("summary.json")
    with pytest.raises(StoreError, match=r"summary\.json is missing.*dt2it run"):
        rewrite_report(Folder(str(tmp_path)))
