"""From a module to its verdicts: the calls of a task in one process, the verdicts here.

A task is one process, so that work which ends its process costs that task and no other. Whoever is ended by force,
or leaves by the back door (``os._exit``), scores 0 for the task: what such a process left behind proves nothing.
"""

from __future__ import annotations

from dataclasses import replace

from mindl_lab import calls
from mindl_lab.checks import Check, Checks, Missed, Tier, Verdict, begin, judge, judge_source
from mindl_lab.sandbox import Limits, Sandbox
from mindl_lab.work import Source


def verdicts(
    checks: Checks, source: Source, box: Sandbox, *, seed: str | None = None, limits: Limits, seconds: float = 10.0
) -> list[Verdict]:
    """What the checks say about a module, in their order.

    Without ``seed`` hidden checks are left out, as on a student's own machine. ``limits`` hold for a task,
    ``seconds`` for a call. Quality counts only in a task of which some other check passes: an empty function
    has no loops either. Raises GuardError where the sandbox fails; nothing of that is the student's fault.
    """
    asked = [check for check in checks if seed is not None or check.tier is not Tier.HIDDEN]
    found: dict[str, Verdict] = {}
    for task in checks.tasks():
        called = [check for check in asked if check.task == task and check.tier is not Tier.QUALITY]
        found |= _task(checks, called, source, box, seed or "", limits, seconds)
        worked = any(found[check.name].passed for check in called)
        for check in asked:
            if check.task == task and check.tier is Tier.QUALITY:
                verdict = judge_source(check, source)
                if verdict.passed and not worked:
                    verdict = check.failed(Missed("counts as soon as another check of this task passes"))
                found[check.name] = verdict
    return [found[check.name] for check in asked]


def _task(
    checks: Checks, called: list[Check], source: Source, box: Sandbox, seed: str, limits: Limits, seconds: float
) -> dict[str, Verdict]:
    running = [begin(check, checks.draw(check, seed)) for check in called]
    wanted = [call for _, listed in running for call in listed]
    if not wanted:
        return {}
    with box.folder() as folder:
        (folder / f"{checks.module}.py").write_bytes(source.text.encode("utf-8"))
        calls.write(folder, checks.module, wanted, seconds)
        ended = box.run(folder, limits)
        results = calls.read(folder, wanted, ended.words)
        forced = None if ended.itself and calls.finished(folder) else _why(ended.itself, ended.words)
    found: dict[str, Verdict] = {}
    for check, (steps, listed) in zip(called, running, strict=True):
        own, results = results[: len(listed)], results[len(listed) :]
        verdict = judge(check, steps, listed, own)
        if forced and verdict.passed:
            verdict = replace(verdict, points=0.0, message=f"no points in this task: {forced}")
        found[check.name] = verdict
    return found


def _why(itself: bool, words: str) -> str:
    return "the process was left before its end" if itself else words
