"""The program that reads the images of pages, run in a process of its own: `python -m app.ingest.ocr_child JSON`.

The models are loaded first, from the installed package and never from a network; then the process takes its limits,
opens the file and gives up the right to open anything more, a connection included. It says on stdout, one JSON object a
line:

    {"ready": true}                                   the models are loaded
    {"opened": true}                                  the file is open, or {"refused": "..."} and the end
    {"number": 7, "width": 1654, "height": 2339, "turns": 0, "pieces": [[text, confidence, [x, y] * 4], ...]}
    {"end": true}                                     last

`turns`: how often the image was turned left by 90 degrees until its text stood upright; corners, clockwise from the top
left, are in pixels of the turned image. A page that fails has an `error` and no pieces. A page that takes too long ends
the process by SIGALRM.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

from app.ingest.parsers.child_limits import take_limits
from app.settings import keep_to_one_thread

_DPI = 200
_LEAST_SIDE = 1600
"""Pixels of the longer side, also of a page that says it is small: scans often give pixels as points."""

_MOST_SIDE = 3200
_DETECTION_SIDE = 1280
"""Lines are looked for in a smaller image than they are read from: as many are found as in the full one (German scan,
Chinese manual) in 60% of the time and of the memory."""

_LINES_AT_ONCE = 2
_SMALLEST = 8
_TEXT_LENGTH = 2000
_UPRIGHT = 0.8
_TURN_LEAST_PIECES = 4

Found = list[tuple[str, float, list[list[float]]]]
Recognise = Callable[[Any], Found]


def main() -> None:
    """Reads the task from the command line; exits 0 when it has said something of every page."""
    task = json.loads(sys.argv[1])
    recognise = _models(task["threads"])
    take_limits(task)
    _say(ready=True)
    signal.setitimer(signal.ITIMER_REAL, task["page_seconds"])
    document = _open(task["path"])
    if document is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        for number in task["pages"]:
            signal.setitimer(signal.ITIMER_REAL, task["page_seconds"])
            _say(number=number, **_read(document, number, task["pixels"], recognise))
    signal.setitimer(signal.ITIMER_REAL, 0)
    _say(end=True)


def _say(**message: object) -> None:
    sys.stdout.write(json.dumps(message, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def _models(threads: int) -> Recognise:
    """The models, loaded and tried once, so that nothing is left to load when the limits are taken."""
    keep_to_one_thread()
    import cv2  # noqa: PLC0415  (after the threads are set, and only in this process)
    import numpy as np  # noqa: PLC0415
    from rapidocr import RapidOCR  # noqa: PLC0415

    cv2.setNumThreads(0)
    runtime = "EngineConfig.onnxruntime"
    engine: Any = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.text_score": 0.0,
            "Global.max_side_len": 2 * _MOST_SIDE,
            "Det.limit_type": "max",
            "Det.limit_side_len": _DETECTION_SIDE,
            "Rec.rec_batch_num": _LINES_AT_ONCE,
            f"{runtime}.intra_op_num_threads": threads,
            f"{runtime}.inter_op_num_threads": 1,
            **_model_files(),
        }
    )

    def recognise(image: Any) -> Found:  # noqa: ANN401  (numpy is loaded only here)
        read = engine(np.ascontiguousarray(image))
        if read.boxes is None or not read.txts:
            return []
        boxes = np.asarray(read.boxes, dtype=float).round(1).tolist()
        return [(str(t), float(s), box) for t, s, box in zip(read.txts, read.scores, boxes, strict=True)]

    trial = np.full((200, 600, 3), 255, np.uint8)
    cv2.putText(trial, "Model 123", (20, 120), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 4)
    if not recognise(trial):
        raise RuntimeError("the models read nothing")
    return recognise


def _model_files() -> dict[str, str]:
    """Where the models that came with the package are: named, they are not looked for elsewhere."""
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise RuntimeError("rapidocr is not installed")
    folder = Path(spec.origin).parent / "models"
    kinds = {"Det": "*_det_*.onnx", "Rec": "*_rec_*.onnx"}
    return {f"{kind}.model_path": str(next(folder.glob(pattern))) for kind, pattern in kinds.items()}


def _open(path: str) -> Any:  # noqa: ANN401  (untyped library)
    import pypdfium2  # noqa: PLC0415  (only in this process)

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        _say(refused=str(error)[:500])
        return None
    _say(opened=True)
    return document


def _read(document: Any, number: int, pixels: int, recognise: Recognise) -> dict[str, object]:  # noqa: ANN401
    """What is on a page. Whatever its failure is, only this page is lost: here is the boundary of the process."""
    try:
        image = _image(document[number - 1], pixels)
        if image is None:
            return {"pieces": []}
        turns, pieces = _upright(image, recognise)
    except Exception as error:  # noqa: BLE001
        return {"pieces": [], "error": f"{type(error).__name__}: {error}"[:500]}
    height, width = image.shape[:2]
    size = {"width": height, "height": width} if turns % 2 else {"width": width, "height": height}
    return {**size, "turns": turns, "pieces": [(text[:_TEXT_LENGTH], score, box) for text, score, box in pieces]}


def _image(page: Any, pixels: int) -> Any:  # noqa: ANN401
    """The page as an array of at most `pixels` pixels; None where a side is too thin to show a letter."""
    width, height = page.get_size()
    longer = max(width, height, 1e-3)
    scale = min(max(_DPI / 72, _LEAST_SIDE / longer), _MOST_SIDE / longer, (pixels / max(width * height, 1e-6)) ** 0.5)
    # Sides are rounded up, and a stripe may so have more pixels than its area says.
    if min(width, height) * scale < _SMALLEST:
        return None
    bitmap = page.render(scale=scale * 0.999)
    image = bitmap.to_numpy()[:, :, :3].copy()
    bitmap.close()
    page.close()
    return image


def _upright(image: Any, recognise: Recognise) -> tuple[int, Found]:  # noqa: ANN401
    """The text of the image and how often it was turned for that: sheets are also scanned sideways or upside down."""
    best_turns, best = 0, recognise(image)
    if len(best) < _TURN_LEAST_PIECES or _is_upright(best):
        return best_turns, best
    for turns in (1, 3, 2):
        found = recognise(_turned(image, turns))
        if _worth(found) > _worth(best):
            best_turns, best = turns, found
        if _is_upright(found):
            break
    return best_turns, best


def _turned(image: Any, turns: int) -> Any:  # noqa: ANN401
    """`image` turned left by 90 degrees so often."""
    for _ in range(turns):
        image = image.swapaxes(0, 1)[::-1]
    return image


def _is_upright(found: Found) -> bool:
    return bool(found) and _standing(found) < len(found) / 2 and fmean(score for _, score, _ in found) >= _UPRIGHT


def _standing(found: Found) -> int:
    """How many pieces are higher than wide."""
    return sum(abs(box[2][1] - box[0][1]) > 1.5 * abs(box[2][0] - box[0][0]) for text, _, box in found)


def _worth(found: Found) -> float:
    """Sure letters in lines that lie: what the right way up has most of."""
    letters = sum(len(text) * score**4 for text, score, _ in found)
    return letters * (1 - _standing(found) / (2 * max(len(found), 1)))


if __name__ == "__main__":
    main()
