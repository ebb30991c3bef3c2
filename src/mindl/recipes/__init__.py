"""Whole training runs, one file each, named as the weights they make."""

from mindl.recipes.approaches import APPROACH_RECIPES, APPROACHES, Approach
from mindl.recipes.denoisers import VARIATIONAL_25
from mindl.recipes.recipe import Recipe
from mindl.recipes.run import learning_rates, train
from mindl.recipes.unet_harmonic import UNET_HARMONIC
from mindl.recipes.unet_rof import UNET_ROF

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (UNET_HARMONIC, UNET_ROF, VARIATIONAL_25, *APPROACH_RECIPES)}
"""The recipes by name."""

__all__ = ["APPROACHES", "RECIPES", "UNET_HARMONIC", "UNET_ROF", "VARIATIONAL_25", "Approach", "Recipe", "learning_rates", "train"]
