"""What outcomes say of an experiment's variants. Pure."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from activities.experiments.contracts import Comparison, Experiment, Outcome, Report, VariantScore
from activities.experiments.sequential import block_sizes, evidence
from activities.feedback.intervals import wilson


def reported(experiment: Experiment, units: Mapping[str, int], outcomes: Sequence[Outcome]) -> Report:
    """Return what is known of an experiment.

    Every two variants are compared, each pair at alpha divided by the number of pairs (Bonferroni), so that the chance
    of any of them being named better though it is not is at most alpha in all.

    Args:
        experiment: Which one.
        units: How many units each variant has.
        outcomes: In the order in which they came.
    """
    variants = experiment.spec.variants
    found = {one.name: [outcome.good for outcome in outcomes if outcome.variant == one.name] for one in variants}
    pairs = list(combinations(variants, 2))
    threshold = experiment.spec.alpha / len(pairs)
    comparisons = []
    for first, second in pairs:
        said = evidence(found[first.name], found[second.name], threshold, block_sizes(first.share, second.share))
        better = {None: "", True: first.name, False: second.name}[said.first_is_better]
        comparisons.append(Comparison(first=first.name, second=second.name, log_e=said.log_e, p=said.p, better=better))
    return Report(
        experiment=experiment,
        scores=tuple(_score(one.name, units.get(one.name, 0), found[one.name]) for one in variants),
        comparisons=tuple(comparisons),
        threshold=threshold,
        winner=next((one.name for one in variants if _beats_all(one.name, comparisons)), ""),
    )


def _beats_all(variant: str, comparisons: Sequence[Comparison]) -> bool:
    return all(one.better == variant for one in comparisons if variant in {one.first, one.second})


def _score(variant: str, units: int, outcomes: Sequence[bool]) -> VariantScore:
    good, judged = sum(outcomes), len(outcomes)
    low, high = wilson(good, judged)
    share = good / judged if judged else None
    return VariantScore(variant=variant, units=units, judged=judged, good=good, share=share, low=low, high=high)
