"""What `import glassnet` and `glassnet --help` leave for later. How long they take, benchmarks/startup.py measures."""

import os
import subprocess
import sys

import pytest

HEAVY = {"sklearn", "scipy", "matplotlib", "PIL", "torch", "pydantic", "safetensors"}


@pytest.mark.parametrize("code", ["import glassnet", "from glassnet.cli import main; assert main(['--help']) == 0"])
def test_nothing_heavy_is_loaded(code: str) -> None:
    code += "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.splitlines()[-1].split()) == set()


def test_the_modules_are_there_after_the_import() -> None:
    code = (
        "import glassnet; glassnet.explain.explain; glassnet.study.study; glassnet.textbook; glassnet.training.resume"
    )
    code += "; glassnet.clinic.MISTAKES; glassnet.export.onnx_graph; glassnet.data.read_csv; glassnet.plots"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_heavy_module_would_be_seen() -> None:
    code = "import glassnet; glassnet.train; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pydantic" in done.stdout.split()


def test_a_library_sets_no_environment_variable() -> None:
    code = "import os; before = dict(os.environ); import glassnet.cli, glassnet.nn, glassnet.training; "
    code += "print(*{name for name in os.environ if os.environ[name] != before.get(name)})"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KMP_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert set(done.stdout.split()) <= {"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}  # which scikit-learn sets
