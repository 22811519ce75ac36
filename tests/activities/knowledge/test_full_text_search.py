"""Passages are found by their words, in the collections that are asked for, as the files stand now."""

import os
from pathlib import Path

import pytest

from activities.knowledge.contracts import UnknownCollection
from activities.knowledge.fts import PASSAGE_CHARS, FolderLibrary, passages_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "handbook/leave.md": "# Leave\n\nAnnual leave is thirty days.\n",
        "handbook/travel/trains.md": "Trains are booked by the office.\n",
        "secret/pay.txt": "Annual pay is a secret.\n",
    }.items():
        (tmp_path / "documents" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "documents" / name).write_text(text)
    return tmp_path / "documents"


def test_the_best_passage_comes_first_and_other_collections_stay_closed(folder: Path, tmp_path: Path) -> None:
    library = FolderLibrary(folder, tmp_path / "index.db")
    assert library.collections() == ("handbook", "secret")
    found = library.find(("handbook",), "How many days of annual leave are there?", 5)
    assert found[0].source == "handbook/leave.md:1"
    assert all(passage.source.startswith("handbook/") for passage in found)


def test_the_index_follows_the_files(folder: Path, tmp_path: Path) -> None:
    library = FolderLibrary(folder, tmp_path / "index.db")
    assert library.find(("handbook",), "bicycles", 5) == []
    changed = folder / "handbook" / "leave.md"
    changed.write_text("Bicycles are lent out.\n")
    os.utime(changed, ns=(1, 1))
    assert [one.text for one in library.find(("handbook",), "bicycle", 5)] == ["Bicycles are lent out."]
    changed.unlink()
    assert library.find(("handbook",), "bicycle", 5) == []


def test_words_of_a_query_are_no_search_syntax(folder: Path, tmp_path: Path) -> None:
    library = FolderLibrary(folder, tmp_path / "index.db")
    assert library.find(("handbook",), 'leave" OR NEAR(* text: -secret', 5)
    assert library.find(("handbook",), "? !", 5) == []


def test_a_link_out_of_the_folder_is_not_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.md").write_text("Zebras live outside.\n")
    (folder / "handbook" / "link.md").symlink_to(tmp_path / "outside.md")
    assert FolderLibrary(folder, tmp_path / "index.db").find(("handbook",), "zebras", 5) == []


def test_a_collection_that_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownCollection, match="there are handbook, secret"):
        FolderLibrary(folder, tmp_path / "index.db").find(("handbok",), "leave", 5)


def test_passages_begin_on_their_lines_and_keep_within_their_length() -> None:
    text = "First.\n\nSecond.\n\n" + "word " * 1_000 + "\n\nLast.\n"
    found = list(passages_of(text))
    assert found[0] == (1, "First.\n\nSecond.")
    assert found[-1][1].endswith("Last.")
    assert all(len(passage) <= 2 * PASSAGE_CHARS for _, passage in found)
