"""Into which groups ``--help`` sorts the flags of the commands that train."""

from cyclopts import Group

__all__ = ["AUGMENTATION", "DATA", "NETWORK", "OPTIMIZATION", "RECIPE", "RUN"]

RECIPE = Group.create_ordered(
    "Recipe",
    "A recipe is a set of settings. Flags override it; what neither sets has the default shown below. "
    'A TOML file may name the recipe that it starts from: recipe = "fast".',
)
DATA = Group.create_ordered("Data")
AUGMENTATION = Group.create_ordered("Augmentation")
NETWORK = Group.create_ordered("Network")
OPTIMIZATION = Group.create_ordered("Optimization")
RUN = Group.create_ordered("Run")
