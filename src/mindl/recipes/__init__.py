"""Whole training runs, one file each, named as the weights they make."""

from mindl.recipes.approaches import APPROACH_RECIPES, APPROACHES, Approach
from mindl.recipes.denoisers import DIFFUSION_25, UNET_BLIND, UNET_LEVELS, UNET_TOLD, VARIATIONAL_25
from mindl.recipes.learned_steps import STEPS_ROF
from mindl.recipes.recipe import Recipe
from mindl.recipes.ridges import CONVEX_RIDGE_25, WEAKLY_CONVEX_RIDGE_25
from mindl.recipes.run import learning_rates, train
from mindl.recipes.solving import UNET_EED, UNET_ELASTICA, UNET_HUBER, UNET_TGV, UNET_TV
from mindl.recipes.unet_harmonic import UNET_HARMONIC
from mindl.recipes.unet_rof import UNET_ROF

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        UNET_HARMONIC,
        UNET_ROF,
        STEPS_ROF,
        UNET_HUBER,
        UNET_TGV,
        UNET_TV,
        UNET_ELASTICA,
        UNET_EED,
        DIFFUSION_25,
        VARIATIONAL_25,
        UNET_BLIND,
        UNET_TOLD,
        *UNET_LEVELS,
        CONVEX_RIDGE_25,
        WEAKLY_CONVEX_RIDGE_25,
        *APPROACH_RECIPES,
    )
}
"""The recipes by name."""

__all__ = ["APPROACHES", "RECIPES", "Approach", "Recipe", "learning_rates", "train"]
