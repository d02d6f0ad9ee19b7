"""Three hundred edits of a stored sweep, each read by every command that reads one."""

import pathlib

import pytest
from tests.sweep.edits import edited
from tests.sweep.test_edited_files import make_stored

import llr.report._draw
from llr.cli import main
from llr.errors import LLRError
from llr.report._watch import serving
from llr.sweep import load_results

SEEDS = range(300)

COMMANDS = ("export {} --format csv", "report {}", "plot {} --no-show")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return make_stored(tmp_path_factory.mktemp("stored"))


@pytest.fixture
def drawn_only(monkeypatch):
    """Figures are laid out with all their text, and no file is encoded."""

    def draw(figure, stem):
        figure.canvas.draw()
        return [stem]

    monkeypatch.setattr(llr.report._draw, "save_figure", draw)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("drawn_only")
def test_every_reader_gives_a_result_or_a_sentence(stored, tmp_path, seed, capsys):
    folder = tmp_path / "edited"
    done = edited(stored, folder, seed)
    for read in (load_results, lambda place: serving(place).server_close()):
        with contextlib.suppress(LLRError):
            read(folder)
    for command in COMMANDS:
        with pytest.raises(SystemExit) as end:
            main(command.format(folder).split())
        told = capsys.readouterr().err
        assert end.value.code in (0, 1, 2), done
        assert "Traceback" not in told, done
        assert "LLR_TRACEBACK" not in told, (done, told)
        assert end.value.code == 0 or told.startswith("Error: "), (done, told)
    assert pathlib.Path(folder).is_dir()
