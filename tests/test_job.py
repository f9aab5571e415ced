"""How a script's errors reach the user."""

import os
from pathlib import Path

import pytest

from fergap.errors import UserError
from fergap.files import whole
from fergap.job import after_error, job


def test_a_users_mistake_is_told_once_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    log = tmp_path / "logs" / "job.log"
    with pytest.raises(SystemExit) as end, job(log):
        raise UserError("is broken", where="a.csv, line 3", expected="a whole row", fix="mend it")
    assert end.value.code == 1
    message = "error: a.csv, line 3: is broken\n  expected: a whole row\n  to go on: mend it\n"
    assert capsys.readouterr().err == message
    assert log.read_text(encoding="utf-8") == message


def test_a_bug_leaves_its_traceback_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    log = tmp_path / "job.log"
    with pytest.raises(SystemExit) as end, job(log):
        raise KeyError("unexpected")
    assert end.value.code == 1
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert "KeyError: 'unexpected'" in capsys.readouterr().err


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "results" / "table.csv"

    def write(text: str, divisor: int) -> None:
        with whole(path) as draft:
            draft.write_text(text * (1 // divisor), encoding="utf-8")

    write("old", 1)
    with pytest.raises(ZeroDivisionError):
        write("half", 0)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_run_ends_in_the_messages_of_its_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logs = Path("logs", "mine")
    with pytest.raises(SystemExit), job(logs / "earlier.log"):
        raise UserError("was broken")
    os.utime(logs / "earlier.log", (0, 0))
    with pytest.raises(SystemExit), job(logs / "train" / "0.log", about="epoch 1"):
        raise UserError("is broken", where="a.csv", fix="mend it")
    assert after_error("mine", 10) == "\nerror: a.csv: is broken\n  to go on: mend it"
    assert "in logs/mine/" in after_error("mine", 2e10)  # killed: no message
