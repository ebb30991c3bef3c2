"""The diagnosis on the page: a card for each symptom, with the curve that shows it."""

from __future__ import annotations

from mindl.diagnosis import Course, Diagnosis, Symptom
from mindl.report import inner
from mindl.report.drawing import Chart, Line, lines
from mindl.report.learned import span
from mindl.report.markup import Html, folded, joined, section, tag
from mindl.report.subject import CLEAR, Subject
from mindl.report.thinning import smoothed
from mindl.report.words import counted, short

MANY = 100
"""Lines of more points are drawn with their medians."""

TITLES = {
    "loss": ("Loss", "loss"),
    "gradient": ("Norm of the gradient", "norm"),
    "rate": ("Learning rate", "rate"),
    "waited": ("Time that a step waits for its batch", "seconds"),
    "excess": ("Energy excess on unseen images", "0 = solved, 1 = start"),
    "psnr": ("PSNR on unseen images", "dB"),
    "rms": ("Proved distance to the solution", "rms, grey levels of 255"),
    "unseen.loss": ("Loss on unseen problems", "loss"),
    "look.seen.loss": ("Loss on a batch that is learned from", "loss"),
    "look.fresh": ("Distance of the gradient from that of its batch", "relative"),
    "look.mode.use": ("Loss with layers as in use", "loss of a fixed batch"),
    "look.signal": ("Signal in the gradient", "squared mean / variance"),
    "look.batch.distinct": ("Share of the images of a batch that differ", "share"),
    "look.batch.spread": ("Standard deviation of the data", "of the range [0, 1]"),
    "look.batch.noise": ("Noise of the data", "grey levels of 255"),
    "look.batch.known": ("Share of known pixels", "share"),
}
"""Curves and their units in words. What answers are like has its own (``_words``)."""

ANSWERS = {
    "moved": "Way of the answers from the start",
    "along": "Part of the way towards the target",
    "contrast": "Contrast of the answers",
    "sharpness": "Sharpness of the answers",
    "likeness": "Correlation of answers and targets",
    "other": "Correlation of answers and targets of other images",
    "shift": "Shift of brightness in grey levels",
    "outside": "Share of values outside the range",
}


def diagnosis(subject: Subject) -> Html:
    """All that the diagnosis says."""
    found, course = subject.diagnosis, subject.course
    cards = [_card(course, symptom, f"symptom-{i}") for i, symptom in enumerate(found.symptoms, start=1)]
    hints = [_card(course, symptom, f"hint-{i}") for i, symptom in enumerate(found.hints, start=1)]
    if hints:
        hints.insert(0, tag("p", "No faults, but worth knowing:", class_="lead"))
    return section("diagnosis", "Diagnosis", *cards, *hints, *_judged(found), _missing(found))


def _judged(found: Diagnosis) -> list[Html]:
    if not found.judged:
        return []
    wrong = {symptom.name for symptom in (*found.symptoms, *found.hints)}
    clean = [name for name in found.judged if name not in wrong]
    if not clean:
        return []
    title = f"{'Also looked' if wrong else 'Looked'} for, and not found: {counted(len(clean), 'symptom')}"
    return [folded(title, tag("p", ", ".join(clean) + "."))]


def _missing(found: Diagnosis) -> Html:
    if not found.missing:
        return Html("")
    needs: dict[str, list[str]] = {}
    for name, need in found.missing.items():
        needs.setdefault(need, []).append(name)
    told = [tag("li", tag("b", ", ".join(names)), f": {need}") for need, names in needs.items()]
    return folded(f"Could not be judged: {counted(len(found.missing), 'symptom')}", tag("ul", *told))


def _card(course: Course, symptom: Symptom, name: str) -> Html:
    clear = symptom.confidence >= CLEAR
    mood = "none" if symptom.hint else "bad" if clear else "warn"
    strength = "hint" if symptom.hint else "clear" if clear else "slight"
    first, last = symptom.steps
    place = f"step {first:,}" if first == last else f"steps {first:,} to {last:,}"
    head = tag(
        "header",
        tag("h3", symptom.title),
        tag("span", f"{symptom.name}, {strength}", class_=f"pill {mood}"),
    )
    evidence = [tag("div", tag("dt", what), tag("dd", short(value))) for what, value in symptom.evidence.items()]
    causes = [tag("li", tag("b", cause.name), f": {cause.why}") for cause in symptom.causes]
    words = tag(
        "div",
        tag("dl", *evidence, class_="evidence") if evidence else "",
        joined([tag("h4", "Likely causes, the likeliest first"), tag("ol", *causes, class_="causes")])
        if causes
        else "",
        joined([tag("h4", "What tells them apart"), tag("p", symptom.experiment, class_="try")])
        if symptom.experiment
        else "",
        joined([tag("h4", "There is nothing wrong if"), tag("p", symptom.disproof, class_="try")])
        if symptom.disproof
        else "",
    )
    drawn = _chart(course, symptom, name, place)
    sides = tag("div", words, tag("div", drawn.html) if drawn is not None else "", class_="sides")
    return tag("article", head, sides, class_=f"card symptom {mood}")


def _words(name: str) -> tuple[str, str]:
    """What a curve is called, and its unit."""
    last = name.rpartition(".")[2]
    if last in ANSWERS and name.startswith(("unseen.", "look.seen.")):
        where = "unseen" if name.startswith("unseen.") else "seen"
        return f"{ANSWERS[last]}, {where} problems", "beside the target" if last not in (
            "shift",
            "outside",
        ) else ""
    return TITLES.get(name, (name, ""))


def _chart(course: Course, symptom: Symptom, name: str, place: str) -> Chart | None:
    """The curve that shows it, with the place shaded."""
    shade = symptom.steps
    if symptom.curve == "look.blocks":
        return inner.blocks(course, "gradient" if "gradient" in symptom.name else "update", name, shade)
    if symptom.curve == "look.units":
        return inner.idle(course, "saturated" if "saturated" in symptom.name else "dead", name, shade)
    if symptom.curve == "look.profile":
        return inner.shares(course, name)
    if symptom.curve == "look.by_step":
        return inner.by_step(course, name)
    if symptom.curve == "look.alpha":
        return inner.alpha(course, name, shade)
    title, unit = _words(symptom.curve)
    curve = course.curve(symptom.curve)
    many = len(curve) > MANY
    pieces = [Line(curve, style="faint"), Line(smoothed(curve))] if many else [Line(curve)]
    words = f"Shaded: {place}." + (" Bold: medians." if many else "")
    return lines(name, title, pieces, unit=unit, reading=words, shade=shade, whole=span(course))
