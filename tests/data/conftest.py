from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GLASSNET_CACHE", str(folder))
    monkeypatch.delenv("GLASSNET_DATA", raising=False)
    return folder
