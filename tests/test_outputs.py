"""Files that appear together or not at all."""

import pytest

from hfrisk.outputs import Outputs


def test_files_get_their_names_only_when_all_are_complete(tmp_path):
    with Outputs(tmp_path / "new") as outputs:
        outputs.path("a").write_text("1", encoding="utf-8")
        outputs.path("b").write_text("2", encoding="utf-8")
        assert not (tmp_path / "new" / "a").exists()
    assert {path.name: path.read_text() for path in (tmp_path / "new").iterdir()} == {"a": "1", "b": "2"}


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, failure):
    (tmp_path / "a").write_text("before", encoding="utf-8")

    def write() -> None:
        with Outputs(tmp_path) as outputs:
            outputs.path("a").write_text("after", encoding="utf-8")
            outputs.path("b")
            raise failure

    with pytest.raises(type(failure)):
        write()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "before"}


def test_a_folder_that_is_a_file_is_an_error_that_names_it(tmp_path):
    (tmp_path / "data").write_text("", encoding="utf-8")
    with pytest.raises(FileExistsError) as error, Outputs(tmp_path / "data"):
        pass
    assert error.value.filename is not None
