"""All rules, the most telling first: where two symptoms have one cause, the one that names it comes before."""

from mindl.diagnosis.rule import Rule
from mindl.diagnosis.rules import answers, data, descent, generalising, gradients, hints, units

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        *gradients.RULES,
        *data.RULES,
        *units.RULES,
        *generalising.RULES,
        *descent.RULES,
        *answers.RULES,
        *hints.RULES,
    )
}
"""The rules by the names of their symptoms."""

__all__ = ["RULES"]
