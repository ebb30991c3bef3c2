"""What a student's process may do, and what comes back of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mindl_lab import calls
from mindl_lab.calls import Call, Matrix, Own, Result
from mindl_lab.sandbox import Guarded, Limits, Plain, Sandbox

linux = pytest.mark.skipif(sys.platform != "linux", reason="grading is for Linux")
LIMITS = Limits(seconds=10, memory=2 * 2**30)


@pytest.fixture(scope="module")
def guarded() -> Guarded:
    with Guarded() as box:
        yield box


def run(
    box: Sandbox, source: str, *wanted: Call, limits: Limits = LIMITS, seconds: float = 1.0
) -> tuple[list[Result], str, bool]:
    """The results, how the process ended, and whether it came to its own end."""
    with box.folder() as folder:
        (folder / "images.py").write_text(source, encoding="utf-8")
        calls.write(folder, "images", wanted, seconds)
        ended = box.run(folder, limits)
        return calls.read(folder, wanted, ended.words), ended.outcome, calls.finished(folder)


HONEST = """
import numpy as np

def twice(u):
    return 2 * u

def both(u, h):
    return u * h, u.sum()

def applied(apply, u, other):
    return apply(u) + other(u)

def refuses(u):
    raise ValueError("too small")

def spoils(u):
    u[0, 0] = 7
    return u
"""


@pytest.mark.parametrize("kind", ["plain", pytest.param("guarded", marks=linux)])
def test_calls_come_back_as_arrays(kind: str, request: pytest.FixtureRequest) -> None:
    box = Plain() if kind == "plain" else request.getfixturevalue("guarded")
    u = np.arange(6.0).reshape(2, 3)
    shift = np.roll(np.eye(6), 1, axis=1)
    results, outcome, finished = run(
        box,
        HONEST,
        Call("twice", u, returns=(2, 3)),
        Call("both", u, 0.5, returns=[(2, 3), ()]),
        Call("applied", Matrix(shift), u, Own("twice"), returns=(2, 3)),
        Call("refuses", u, refuses="ValueError"),
        Call("spoils", u, returns=(2, 3)),
        Call("absent", u),
    )
    assert outcome == "ended"
    assert finished
    np.testing.assert_array_equal(results[0].values[0], 2 * u)
    np.testing.assert_array_equal(results[1].values[0], u / 2)
    assert float(results[1].values[1]) == 15
    np.testing.assert_array_equal(results[2].values[0].ravel(), shift @ u.ravel() + 2 * u.ravel())
    assert (results[3].kind, results[3].error) == (
        "ValueError",
        "`refuses` raised ValueError (line 14): too small",
    )
    assert results[4].changed == (0,)
    assert "no function `absent`" in str(results[5].error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return u[:1]", "returned an array of shape (1, 3); expected an array of shape (2, 3)"),
        ("return u, u", "returned a tuple; expected an array of shape (2, 3)"),
        ("return None", "is a `return` missing?"),
        ("return u / 0 * 0", "returned NaN (not a number) in 6 of 6 values"),
        ("return u.astype(object)", "an array of the type object"),
        ("return u * 1j", "complex128; expected real numbers"),
        ("return 'u'", "returned a str"),
        ("raise SystemExit", "tried to end the process"),
        ("raise KeyError('k')", "raised KeyError (line 4): 'k'"),
        ("return twice(u)", "raised RecursionError"),
        ("while True:\n        pass", "did not end within 0.2 s"),
    ],
)
@linux
def test_a_wrong_result_is_told_in_a_sentence(guarded: Guarded, body: str, said: str) -> None:
    source = (
        f"import numpy as np\nnp.seterr(all='ignore')\ndef twice(u):\n    {body}\ndef next_one(u):\n    return u\n"
    )
    u = np.ones((2, 3))
    results, _, finished = run(
        guarded, source, Call("twice", u, returns=(2, 3)), Call("next_one", u, returns=(2, 3)), seconds=0.2
    )
    assert said in str(results[0].error)
    assert results[1].error is None, "the call after it is made"
    assert finished


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f(:\n", "SyntaxError in line 1"),
        ("import nowhere\n", "ModuleNotFoundError (line 1)"),
        ("raise SystemExit(0)\n", "tried to end the process"),
        ("while True: pass\n", "importing your module did not end"),
    ],
)
@linux
def test_a_module_that_cannot_be_imported(guarded: Guarded, source: str, said: str) -> None:
    results, _, _ = run(guarded, source, Call("f"), Call("g"), seconds=0.2)
    assert all(said in str(result.error) for result in results)


# Hostile work: each body is that of a function `f`, which must give nothing of use.

HOSTILE = {
    "early exit": "os._exit(0)",
    "endless loop": "while True: pass",
    "endless loop that keeps its time": "signal.signal(signal.SIGALRM, signal.SIG_IGN)\n    while True: pass",
    "endless output": "while True: print('x' * 10**6)",
    "endless files": "for i in range(10**6): open(str(i), 'wb').write(bytes(10**7))",
    "crash": "ctypes.string_at(0)",
    "memory bomb": "kept = []\n    while True: kept.append(np.ones(10**7))",
    "equal to everything": "return type('E', (), {'__eq__': lambda self, other: True})()",
    "patched numpy": "np.allclose = np.array = lambda *a, **k: True\n    return 'u'",
    "ends its parent": "os.kill(os.getppid(), 9); os.kill(-1, 9); os.abort()",
    "reads the checks": "return float(len(open(mindl_lab.__file__.replace('__init__', 'calls')).read()))",
    "imports the checks": "from mindl_lab import calls\n    return 1.0",
    "reads the system": "return float(len(open('/etc/passwd').read()))",
    "network": "socket.create_connection(('127.0.0.1', PORT), timeout=1)\n    return 1.0",
    "a linked result": "os.symlink('/etc/passwd', '0-0.npy'); open('0.json', 'w').write(SAID); os._exit(0)",
    "a pipe as a result": "os.mkfifo('0-0.npy'); open('0.json', 'w').write(SAID); os._exit(0)",
    "a damaged record": "open('0.json', 'w').write('[' * 50000); os._exit(0)",
}
WALLS = {"network": "network", "reads the checks": "Landlock", "imports the checks": "Landlock"}


def hostile(name: str, port: int = 0) -> str:
    head = "import ctypes, os, signal, socket\nimport numpy as np\nimport mindl_lab\nSAID = '{\"values\": 1}'\n"
    return f"{head}PORT = {port}\ndef f():\n    {HOSTILE[name]}\n"


@pytest.mark.parametrize("name", sorted(HOSTILE))
@linux
def test_hostile_work_gives_nothing_and_harms_nothing(guarded: Guarded, name: str) -> None:
    assert not guarded.missing or os.getuid(), guarded.missing
    needs = {
        "NETWORK": "network",
        "DATAGRAM": "network",
        "READ": "Landlock",
        "IMPORT": "Landlock",
        "PASSWORDS": "Landlock",
    }
    if any(needs.get(name, "-") in gap for gap in guarded.missing):
        pytest.skip("this wall is not offered here")
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = hostile(name, server.getsockname()[1])
        results, _, _ = run(guarded, source, Call("f", returns=()), limits=Limits(1.5, 2**30), seconds=0.5)
    assert results[0].error, "no value came back"
    assert results[0].values == ()
    assert _next_one_is_fine(guarded)


def _next_one_is_fine(box: Guarded) -> bool:
    results, _, finished = run(box, "def f(): return 1.0\n", Call("f", returns=()))
    return finished and float(results[0].values[0]) == 1


@linux
def test_processes_are_counted_and_none_is_left(guarded: Guarded) -> None:
    source = (
        "import os, time\n"
        "def f():\n"
        "    started = 0\n"
        "    try:\n"
        "        while True:\n"
        "            if os.fork() == 0:\n"
        "                os.setsid()\n"
        "                time.sleep(600)\n"
        "            started += 1\n"
        "    except OSError:\n"
        "        return started\n"
    )
    if any("process tree" in gap for gap in guarded.missing):
        pytest.skip("namespaces are not offered here")
    results, _, _ = run(guarded, source, Call("f", returns=()))
    assert 1 <= float(results[0].values[0]) < 64
    own = subprocess.run(["ps", "-eo", "uid="], capture_output=True, text=True, check=True).stdout.split()
    assert "61184" not in own


@linux
def test_time_and_size_end_the_process(guarded: Guarded) -> None:
    _, outcome, finished = run(
        guarded, hostile("endless loop that keeps its time"), Call("f"), limits=Limits(0.5, 2**30), seconds=0.2
    )
    assert (outcome, finished) == ("time", False)
    _, outcome, finished = run(guarded, hostile("endless files"), Call("f"), limits=Limits(20, 2**30), seconds=20)
    assert (outcome, finished) == ("size", False)
    _, outcome, finished = run(guarded, hostile("early exit"), Call("f"))
    assert not finished, "an early exit is no end of its own"


@linux
def test_what_one_leaves_the_next_does_not_find(guarded: Guarded) -> None:
    head = "import builtins, os\nimport numpy as np\n"
    leaves = f"{head}builtins.len = np.sum = None\nos.environ['MARK'] = '1'\ndef f(): return 1.0\n"
    finds = f"{head}def f(): return float(len('ab') + np.sum([1.0]) + len(os.environ.get('MARK', '')))\n"
    run(guarded, leaves, Call("f", returns=()))
    assert float(run(guarded, finds, Call("f", returns=()))[0][0].values[0]) == 3


@linux
def test_the_environment_is_scrubbed(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_SECRET", "1")
    source = "import os\ndef f(): return float('LAB_SECRET' in os.environ)\n"
    assert float(run(guarded, source, Call("f", returns=()))[0][0].values[0]) == 0


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 4), (2, 1, 5)])
@pytest.mark.parametrize("kind", ["float64", "float32", "int16", "bool", ">f8"])
def test_arrays_come_back_as_they_were(shape: tuple[int, ...], kind: str, tmp_path: Path) -> None:
    value = np.arange(int(np.prod(shape)), dtype=np.float64).reshape(shape).astype(kind)
    np.save(tmp_path / "a.npy", value)
    np.testing.assert_array_equal(calls.array(tmp_path / "a.npy"), value.astype(np.float64))


def test_files_that_are_no_arrays_are_refused(tmp_path: Path) -> None:
    good = tmp_path / "good.npy"
    np.save(good, np.arange(12.0))
    content = good.read_bytes()
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    damaged = {
        "empty": b"",
        "short": content[:-1],
        "long": content + b"x",
        "header": content.replace(b"(12,)", b"(99,)"),
        "huge": content.replace(b"(12,), }    ", b"(10**9,), } "),
        "objects": (tmp_path / "objects.npy").read_bytes(),
        "records": content.replace(b"'<f8'", b"'|O8'"),
        "negative": content.replace(b"(12,)", b"(-1,)"),
        "text": b"not an array",
    }
    for name, found in damaged.items():
        (tmp_path / name).write_bytes(found)
        with pytest.raises(ValueError, match="no plain array of numbers"):
            calls.array(tmp_path / name)
    (tmp_path / "link.npy").symlink_to(good)
    with pytest.raises(ValueError, match="missing"):
        calls.array(tmp_path / "link.npy")


def test_only_data_is_handed_over(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not dict"):
        calls.write(tmp_path, "images", [Call("f", {})], 1.0)


@pytest.mark.parametrize("kind", ["plain", pytest.param("guarded", marks=linux)])
def test_students_own_tests_are_counted(kind: str, request: pytest.FixtureRequest) -> None:
    box = Plain() if kind == "plain" else request.getfixturevalue("guarded")
    tests = "from images import twice\n\n"
    tests += "def test_right():\n    assert twice(2) == 4\n\ndef test_wrong():\n    assert twice(2) == 5\n"
    with box.folder() as folder:
        (folder / "test_images.py").write_text(tests, encoding="utf-8")
        asked: dict[str, object] = {"kind": "tests", "module": "images", "tests": "test_images.py", "seconds": 5}
        asked["variants"] = ["def twice(u):\n    return 2 * u\n", "def twice(u):\n    return 5\n"]
        (folder / calls.REQUEST).write_text(json.dumps(asked), encoding="utf-8")
        assert box.run(folder, LIMITS).itself
        found = [calls.record(folder / f"tests-{index}.json") for index in (0, 1)]
    assert found == [
        {"passed": 1, "failed": 1, "errors": 0, "first": "test_wrong: assert 4 == 5"},
        {"passed": 1, "failed": 1, "errors": 0, "first": "test_right: assert 5 == 4"},
    ]
