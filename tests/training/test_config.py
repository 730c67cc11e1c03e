import os
import time
from pathlib import Path

import pytest

from glassnet.errors import ConfigError
from glassnet.training import Config, notebook_names, recipe_names, recipe_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_of_settings_may_begin_with_a_byte_order_mark(tmp_path, encoding):
    path = tmp_path / "mine.toml"
    path.write_bytes("hidden = [64]\nepochs = 2\n".encode(encoding))
    config = Config.resolve(path)
    assert (config.hidden, config.epochs) == ((64,), 2)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_of_settings_in_utf_16_is_refused_with_the_cure(tmp_path, encoding):
    path = tmp_path / "mine.toml"
    path.write_bytes("hidden = [64]\n".encode(encoding))
    with pytest.raises(ConfigError, match=r"mine\.toml: is UTF-16, .*save it as UTF-8"):
        Config.resolve(path)
    path.write_bytes(b"# gr\xf6\xdfer\nhidden = [64]\n")
    with pytest.raises(ConfigError, match=r"mine\.toml: is not UTF-8 text .at byte 4.; save it as UTF-8"):
        Config.resolve(path)


def test_settings_that_do_not_go_together_name_the_file_that_has_them(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('hidden = [8, 4]\nactivation = ["relu", "tanh", "relu"]\n')
    with pytest.raises(ConfigError, match=r"^.*mine\.toml: activation: 3 given"):
        Config.resolve(path)
    with pytest.raises(ConfigError, match=r"^activation: 3 given"):
        Config.resolve("fast", activation=["relu", "tanh", "relu"])


def test_the_configuration_of_a_newer_version_says_so(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(Config.of().to_toml() + "sharpness = 3\n")
    with pytest.raises(ConfigError, match=r"config\.toml: has a setting 'sharpness', .*newer version"):
        Config.load(path)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"hidden": ["16"]}, r"hidden: must be a whole number, not \['16'\]"),
        ({"hidden": [True]}, r"hidden: must be a whole number, not \[True\]"),
        ({"hidden": "16"}, "hidden: must be a whole number, not '16'"),
        ({"batch_size": "32"}, "batch_size: must be a whole number of at least 1, or all, not '32'"),
        ({"batch_size": True}, "batch_size: must be a whole number"),
    ],
)
def test_numbers_are_not_taken_from_texts_and_booleans(given, what):
    with pytest.raises(ConfigError, match=what):
        Config.of(**given)


def test_every_recipe_is_valid_and_says_what_it_is_for() -> None:
    assert {"default", "fast", "best", "small"} <= set(recipe_names())
    for name in recipe_names():
        assert Config.resolve(name).recipe == name
        assert recipe_text(name).startswith("# ")


def test_a_flag_wins_over_a_file_and_a_file_over_its_recipe(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('recipe = "best"\nepochs = 7\nbatch_size = 99\n')
    best, mine = Config.resolve("best"), Config.resolve(file, epochs=3, dropout=None)
    assert (mine.epochs, mine.batch_size, mine.hidden, mine.dropout) == (3, 99, best.hidden, best.dropout)
    assert mine.recipe == "mine.toml"


def test_a_file_that_starts_from_a_recipe_may_be_as_written_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('recipe = "small"\nhidden = [8]\n[as_written]\nmistakes = ["unscaled-pixels"]\nepochs = 3\n')
    cured, written = Config.resolve(file), Config.resolve(file, as_written=True)
    assert (cured.hidden, cured.mistakes, cured.epochs) == ((8,), (), Config.resolve("small").epochs)
    assert (written.hidden, written.mistakes, written.epochs) == ((8,), ("unscaled-pixels",), 3)
    file.write_text('recipe = "notebook-001"\n[as_written]\nepochs = 3\n')
    assert Config.resolve(file, as_written=True).mistakes == Config.resolve("notebook-001", as_written=True).mistakes


@pytest.mark.parametrize(
    ("name", "as_written"), [(name, False) for name in recipe_names()] + [(name, True) for name in notebook_names()]
)
def test_a_copy_of_a_recipe_is_that_recipe(name: str, as_written: bool, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(recipe_text(name))
    copy, recipe = Config.resolve(file, as_written=as_written), Config.resolve(name, as_written=as_written)
    assert copy == recipe.model_copy(update={"recipe": "mine.toml"})
    planted = {"mistakes": ["small-learning-rate"], "seed": 3}
    assert Config.resolve(file, **planted).learning_rate == Config.resolve(name, **planted).learning_rate


def test_a_file_without_a_recipe_starts_from_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("epochs = 7\n")
    assert Config.resolve(file) == Config.of(epochs=7, recipe="mine.toml")
    file.write_text('optimizer = "sgd"\n')
    assert Config.resolve(file).learning_rate == 0.1
    file.write_text('mistakes = ["small-learning-rate"]\nlearning_rate = 0.5\n')
    assert Config.resolve(file).learning_rate == 0.5


def test_the_configuration_of_a_run_is_a_recipe_of_its_own(tmp_path: Path) -> None:
    mine, again = tmp_path / "mine.toml", tmp_path / "config.toml"
    mine.write_text("dropout = 0.2\n")
    again.write_text(Config.resolve(mine, seed=3).to_toml())
    assert Config.load(again).recipe == "mine.toml"  # which is not looked for
    assert Config.resolve(again) == Config.resolve(mine, seed=3)


@pytest.mark.parametrize(
    "settings", [{}, {"optimizer": "sgd", "learning_rate": 0.008}, {"dropout": 0.1, "hidden": [9]}]
)
@pytest.mark.parametrize("start", ["default", "mine.toml"])
def test_settings_can_be_written_as_a_recipe(start: str, settings: dict, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("learning_rate = 0.008\nbatch_norm = true\n")
    config = Config.resolve(start if start == "default" else tmp_path / start, **settings)
    (tmp_path / "written.toml").write_text(config.to_recipe())
    written = Config.resolve(tmp_path / "written.toml")
    assert written == config.model_copy(update={"recipe": "written.toml"})


def test_a_configuration_survives_its_file(tmp_path: Path) -> None:
    config = Config.resolve("best", activation=["relu", "tanh"], clip_norm=1.0, data="mnist", threads=2, patience=4)
    (tmp_path / "c.toml").write_text(config.to_toml())
    assert Config.load(tmp_path / "c.toml") == config


def test_another_optimizer_brings_its_own_learning_rate() -> None:
    assert Config.resolve("default", optimizer="sgd").learning_rate == 0.1
    assert Config.resolve("default", optimizer="sgd", learning_rate=0.5).learning_rate == 0.5
    assert Config.resolve("default", optimizer="adam").learning_rate == Config.resolve("default").learning_rate


def test_another_optimizer_does_not_inherit_weight_decay(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('optimizer = "adamw"\nweight_decay = 0.1\n')
    assert Config.resolve(file).weight_decay == 0.1
    assert Config.resolve(file, optimizer="sgd").weight_decay == 0
    assert Config.resolve(file, optimizer="adamw").weight_decay == 0.1
    with pytest.raises(ConfigError, match="weight_decay: not supported by sgd"):
        Config.resolve(file, optimizer="sgd", weight_decay=0.1)


def test_it_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config.resolve().epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"epochs": 0}, "epochs: must be at least 1, not 0"),
        ({"learning_rate": -1}, "learning_rate: must be more than 0, not -1"),
        ({"learning_rate": float("nan")}, "learning_rate: .*finite"),
        ({"lr": 3}, "no setting called 'lr' .did you mean 'learning_rate'"),
        ({"bs": 3}, "no setting called 'bs' .did you mean 'batch_size'"),
        ({"epoch": 3}, "no setting called 'epoch' .did you mean 'epochs'"),
        ({"activation": "rely"}, "activation: 'rely' is unknown .did you mean 'relu'"),
        ({"optimizer": "adan"}, "optimizer: .*did you mean 'adam'"),
        ({"schedule": "onecycle"}, "did you mean 'one_cycle'"),
        ({"hidden": [0]}, "hidden: "),
        ({"hidden": "many"}, "hidden: "),
        ({"dropout": 1.0}, "dropout: .*less than 1"),
        ({"validation": 1}, "validation: must be a fraction less than 1"),
        ({"activation": ["relu"] * 3, "hidden": [5, 5]}, "3 given, but the number of hidden layers is 2"),
        ({"weight_decay": 0.1, "optimizer": "sgd"}, "use optimizer adamw"),
        ({"patience": 3, "validation": 0}, "needs validation images"),
        ({"batch_norm": True, "batch_size": 1}, "batch of one image"),
        ({"seed": -1}, "seed: "),
    ],
)
def test_a_wrong_setting_gets_one_line(settings: dict, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as error:
        Config.resolve("default", **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("epochs = ", "not a TOML file"),
        ("epochs = 0", "mine.toml: epochs"),
        ("epoks = 1", "mine.toml: no setting called 'epoks' .did you mean 'epochs'"),
        ('recipe = "bets"', "mine.toml: no recipe called 'bets' .did you mean 'best'"),
        ("\xff", "not UTF-8 text"),
        ("a = " + "[" * 5000, "not a TOML file"),
        ("epochs = " + "9" * 5000, "not a TOML file"),
        ("as_written = true", "mine.toml: as_written must be a table"),
        ('recipe = "other.toml"', "mine.toml: no recipe called 'other.toml'"),
        ('optimizer = ["adam"]', "mine.toml: optimizer"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=complaint):
        Config.resolve(file)


@pytest.mark.parametrize("text", [".a" * 20_000, "x = {a" + ".a" * 20_000 + " = 1}", "# " + "x" * 70_000])
def test_a_file_that_would_take_minutes_is_refused_at_once(tmp_path: Path, text: str) -> None:
    file, start = tmp_path / "mine.toml", time.perf_counter()
    file.write_text(f"a{text} = 1\n" if text.startswith(".") else text)
    for read in (Config.resolve, Config.load):
        with pytest.raises(ConfigError, match=r"mine\.toml: .*(more than)"):
            read(file)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("kind", ["pipe", "loop", "a\0b"])
def test_a_recipe_that_is_not_a_file(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    with pytest.raises(ConfigError, match=r"\.toml: cannot be read|^recipe: must be a path"):
        Config.resolve(tmp_path / f"{kind}.toml")


def test_an_unknown_recipe_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'fast'"):
        Config.resolve("fats")
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.resolve(tmp_path / "none.toml")


def test_what_a_recipe_has_gives_way_to_a_batch_size_that_it_does_not_go_with() -> None:
    recipe = Config.resolve("default")
    assert recipe.batch_norm
    assert recipe.augmentation is not None
    everything, one = Config.resolve("default", batch_size="all"), Config.resolve("default", batch_size=1)
    assert not everything.batch_norm
    assert everything.augmentation is None
    assert not one.batch_norm
    assert one.augmentation == recipe.augmentation


@pytest.mark.parametrize("setting", [{"batch_norm": True}, {"rotation": 5.0}])
def test_what_a_person_asks_for_does_not_give_way(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Config.resolve("default", batch_size="all", **setting)


def test_a_file_that_names_data_and_a_recipe_is_not_taken_for_the_record_of_a_run(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('recipe = "fast"\ndata = "digits"\nclasses = ["0", "1"]\n', "utf-8")
    assert Config.resolve(mine).recipe == "mine.toml"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("learning_rate = true", "learning_rate: must be a number, not True"),
        ("epochs = true", "epochs: must be a whole number, not True"),
        ('epochs = "3"', "epochs: must be a whole number, not '3'"),
        ('patience = "3"', "patience: must be a whole number, not '3'"),
        ('batch_norm = "yes"', "batch_norm: must be true or false, not 'yes'"),
        ("shuffle = 1", "shuffle: must be true or false, not 1"),
        ("[as_written]\nfoo = 3", "no setting called 'foo'"),
        ('[as_written]\nlearning_rate = "x"', "learning_rate: must be a number, not 'x'"),
        ('recipe = "other.toml"', "a file can only start from a recipe that comes with glassnet"),
    ],
)
def test_a_value_of_another_type_is_refused_and_not_converted(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        Config.resolve(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert complaint in str(refused.value)


def test_what_mistakes_would_bring_is_written_down_where_it_was_overridden(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    config = Config.resolve("notebook-003", as_written=True, learning_rate=0.2)  # which is that of the cured one, too
    file.write_text(config.to_recipe())
    assert Config.resolve(file).model_dump(exclude={"recipe"}) == config.model_dump(exclude={"recipe"})


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("epochs = 3\n", "utf-8-sig")
    assert Config.resolve(file).epochs == 3
