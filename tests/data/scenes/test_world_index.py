from dt2it_ray.data.scenes.world_index import index_labels, index_numbers


def test_a_row_keeps_its_name_when_the_set_grows() -> None:
    small, large = (index_numbers(0, {"a": size}).to_pylist() for size in (10, 100))
    assert large[:10] == small
    assert [row["number"] for row in large] == list(range(100))


def test_names_are_unique_across_sets_and_seeds() -> None:
    names = [name for seed in (0, 1) for name in index_numbers(seed, {"a": 50, "b": 50})["prompt_id"].to_pylist()]
    assert len(set(names)) == 200


def test_a_set_has_exactly_as_many_labels_as_asked_for() -> None:
    for pairs in (0, 1, 8, 9, 17, 18, 100, 101):
        flips = index_labels(0, {"a": pairs}, {"a": 0.3})["flips"].to_pylist()
        assert sum(len(labels) for labels in flips) == pairs
        assert [len(labels) for labels in flips].count(2) == pairs // 9
        assert all(len(labels) in (1, 2) for labels in flips)


def test_the_planted_share_is_exact_in_every_set() -> None:
    shares = {"a": 0.3, "b": 0.0, "c": 1.0, "d": 0.07}
    rows = index_labels(3, dict.fromkeys(shares, 1500), shares).to_pylist()
    for name, share in shares.items():
        flips = [flip for row in rows if row["source"] == name for flip in row["flips"]]
        assert sum(flips) == round(1500 * share)


def test_another_seed_flips_other_labels() -> None:
    first, second = (index_labels(seed, {"a": 100}, {"a": 0.3})["flips"].to_pylist() for seed in (0, 1))
    assert first != second


def test_an_index_larger_than_a_chunk_is_whole() -> None:
    table = index_numbers(0, {"a": 70_000})
    assert table["number"].to_pylist() == list(range(70_000))
