"""The command line of ``make fuzz``."""

import pytest

from tests.fuzz.__main__ import main


@pytest.mark.parametrize("seconds", ["abc", "nan", "inf", "-1", "0"])
def test_seconds_that_are_none_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: str
) -> None:
    """By the variable's name, without a traceback."""
    monkeypatch.setenv("FUZZ_S", seconds)
    monkeypatch.setattr("sys.argv", ["fuzz"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"FUZZ_S: '{seconds}' is no number of seconds" in capsys.readouterr().err
