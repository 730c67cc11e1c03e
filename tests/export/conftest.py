import pytest
from exported_models import MODELS

from glassnet import Model


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    return MODELS[request.param]()
