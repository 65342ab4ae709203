"""The one error tree. A class's docstring is the sentence the user reads in English, `zh` the same in Chinese.

    ManualqaError
    |- InvalidInput (422)       QuestionEmpty, QuestionTooLong, InvalidName, InvalidRequest (400),
    |                           BodyTooLarge (413), UnsupportedType (415), QuestionSetInvalid, TooManyQuestions
    |- NotFound (404)           KnowledgeBaseNotFound, DocumentNotFound, JobNotFound, EvaluationNotFound, CalibrationNotFound,
    |                           ConversationNotFound, TurnNotFound, TrainingNotFound,
    |                           PageNotFound, NoPageImage, RouteNotFound, MethodNotAllowed (405)
    |- Conflict (409)           NameTaken, FingerprintMismatch, KnowledgeBaseFull, RebuildRunning, JobEnded,
    |                           JobCancelled, NothingToRetry, KnowledgeBaseEmpty, EvaluationsFull, EvaluationEnded,
    |                           NothingToResume, EvaluationUnanswered, CalibrationImpossible, ConversationFull,
    |                           TrainingEnded, TrainingDone, TrainingsFull
    |- Denied                   KeyMissing (401), KeyInvalid (401), SessionEnded (401), SignInLinkInvalid (401),
    |                           RoleTooLow (403), CrossSite (403)
    |- DocumentError            Unreadable, EmptyFile, NoText, NeedsOcr, Encrypted, TooManyPages, DocumentTooCostly,
    |                           PageImageFailed, IngestFailed, RebuildFailed, GaveUp
    |- Unavailable (503)        ModelUnavailable, ModelBusy (429), EmbedderUnavailable, OcrUnavailable, IndexUnavailable, DiskFull (507),
    |                           NotReady, PagesBusy, EvaluationQueueFull (429), EvaluationStopped, TrainingQueueFull (429)
    |- TrainingGaveUp (500)
    `- SetupError               DataFolderLocked, DataFolderUnusable, PortInUse, AddressUnusable, WeightsMissing, WeightsCorrupt, UnknownModel, ExtraMissing,
                                ServerNotRunning, OwnServerFailed, MigrationFailed

Text in braces is filled from the keyword arguments, which may be phrases of `app/phrases.py`; `detail` goes to the log and never to a user.
"""

from __future__ import annotations

from app.errors.access import (
    CrossSite,
    Denied,
    KeyInvalid,
    KeyMissing,
    RoleTooLow,
    SessionEnded,
    SignInLinkInvalid,
)
from app.errors.base import ManualqaError
from app.errors.documents import (
    DocumentError,
    DocumentTooCostly,
    EmptyFile,
    Encrypted,
    GaveUp,
    IngestFailed,
    NeedsOcr,
    NoText,
    PageImageFailed,
    RebuildFailed,
    TooManyPages,
    Unreadable,
)
from app.errors.finetuning import (
    TrainingDone,
    TrainingEnded,
    TrainingGaveUp,
    TrainingNotFound,
    TrainingQueueFull,
    TrainingsFull,
)
from app.errors.requests import (
    BodyTooLarge,
    CalibrationImpossible,
    CalibrationNotFound,
    Conflict,
    ConversationFull,
    ConversationNotFound,
    DocumentNotFound,
    EvaluationEnded,
    EvaluationNotFound,
    EvaluationsFull,
    EvaluationUnanswered,
    FingerprintMismatch,
    InvalidInput,
    InvalidName,
    InvalidRequest,
    JobCancelled,
    JobEnded,
    JobNotFound,
    KnowledgeBaseEmpty,
    KnowledgeBaseFull,
    KnowledgeBaseNotFound,
    MethodNotAllowed,
    NameTaken,
    NoPageImage,
    NotFound,
    NothingToResume,
    NothingToRetry,
    PageNotFound,
    QuestionEmpty,
    QuestionSetInvalid,
    QuestionTooLong,
    RebuildRunning,
    RouteNotFound,
    TooManyQuestions,
    TurnNotFound,
    UnsupportedType,
)
from app.errors.setup import (
    AddressUnusable,
    DataFolderLocked,
    DataFolderUnusable,
    ExtraMissing,
    MigrationFailed,
    OwnServerFailed,
    PortInUse,
    ServerNotRunning,
    SetupError,
    UnknownModel,
    WeightsCorrupt,
    WeightsMissing,
)
from app.errors.unavailable import (
    DiskFull,
    EmbedderUnavailable,
    EvaluationQueueFull,
    EvaluationStopped,
    IndexUnavailable,
    ModelBusy,
    ModelUnavailable,
    NotReady,
    OcrUnavailable,
    PagesBusy,
    Unavailable,
)

__all__ = [
    "AddressUnusable",
    "BodyTooLarge",
    "CalibrationImpossible",
    "CalibrationNotFound",
    "Conflict",
    "ConversationFull",
    "ConversationNotFound",
    "CrossSite",
    "DataFolderLocked",
    "DataFolderUnusable",
    "Denied",
    "DiskFull",
    "DocumentError",
    "DocumentNotFound",
    "DocumentTooCostly",
    "EmbedderUnavailable",
    "EmptyFile",
    "Encrypted",
    "EvaluationEnded",
    "EvaluationNotFound",
    "EvaluationQueueFull",
    "EvaluationStopped",
    "EvaluationUnanswered",
    "EvaluationsFull",
    "ExtraMissing",
    "FingerprintMismatch",
    "GaveUp",
    "IndexUnavailable",
    "IngestFailed",
    "InvalidInput",
    "InvalidName",
    "InvalidRequest",
    "JobCancelled",
    "JobEnded",
    "JobNotFound",
    "KeyInvalid",
    "KeyMissing",
    "KnowledgeBaseEmpty",
    "KnowledgeBaseFull",
    "KnowledgeBaseNotFound",
    "ManualqaError",
    "MethodNotAllowed",
    "MigrationFailed",
    "ModelBusy",
    "ModelUnavailable",
    "NameTaken",
    "NeedsOcr",
    "NoPageImage",
    "NoText",
    "NotFound",
    "NotReady",
    "NothingToResume",
    "NothingToRetry",
    "OcrUnavailable",
    "OwnServerFailed",
    "PageImageFailed",
    "PageNotFound",
    "PagesBusy",
    "PortInUse",
    "QuestionEmpty",
    "QuestionSetInvalid",
    "QuestionTooLong",
    "RebuildFailed",
    "RebuildRunning",
    "RoleTooLow",
    "RouteNotFound",
    "ServerNotRunning",
    "SessionEnded",
    "SetupError",
    "SignInLinkInvalid",
    "TooManyPages",
    "TooManyQuestions",
    "TrainingDone",
    "TrainingEnded",
    "TrainingGaveUp",
    "TrainingNotFound",
    "TrainingQueueFull",
    "TrainingsFull",
    "TurnNotFound",
    "Unavailable",
    "UnknownModel",
    "Unreadable",
    "UnsupportedType",
    "WeightsCorrupt",
    "WeightsMissing",
    "errors_by_code",
]


def errors_by_code() -> dict[str, type[ManualqaError]]:
    """Every class of this package by its code; what the command line makes of a server's error has no code of its own."""
    found: dict[str, type[ManualqaError]] = {}
    rest: list[type[ManualqaError]] = [ManualqaError]
    while rest:
        kind = rest.pop()
        found[kind.code()] = kind
        rest += [child for child in kind.__subclasses__() if child.__module__.startswith(f"{__name__}.")]
    return found
