"""LangChain's Chroma, BM25Retriever and EnsembleRetriever over given texts and vectors; a program of its own.

`stock_scale.py FOLDER LIMIT` reads texts.json, vectors.npy, questions.json and questions.npy in the folder, and prints
one JSON object: seconds to build, memory, the seconds of each question and the numbers of the chunks it found.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from chromadb.config import Settings as ChromaSettings
from langchain_chroma import Chroma
from langchain_classic.retrievers import EnsembleRetriever
from langchain_community.retrievers import BM25Retriever
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

_BATCH = 1000


class Given(Embeddings):
    """Vectors of texts that are known."""

    def __init__(self, known: dict[str, list[float]]) -> None:
        self._known = known

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._known[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self._known[text]


def main() -> int:
    """Builds, asks, tells."""
    folder, limit = Path(sys.argv[1]), int(sys.argv[2])
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    vectors = np.load(folder / "vectors.npy")
    questions = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    asked = dict(zip(questions, np.load(folder / "questions.npy").tolist(), strict=True))
    started = time.perf_counter()
    documents = [Document(page_content=text, metadata={"chunk": number}) for number, text in enumerate(texts)]
    store = Chroma(
        embedding_function=Given(asked),
        persist_directory=str(folder / "chroma"),
        client_settings=ChromaSettings(anonymized_telemetry=False),
    )
    for first in range(0, len(texts), _BATCH):
        some = range(first, min(first + _BATCH, len(texts)))
        store._collection.upsert(  # noqa: SLF001 - what `from_documents` calls, with the vectors at hand
            ids=[str(number) for number in some],
            embeddings=vectors[first : some.stop],
            documents=texts[first : some.stop],
            metadatas=[{"chunk": number} for number in some],
        )
    words = BM25Retriever.from_documents(documents, k=limit)
    built = time.perf_counter() - started
    retriever = EnsembleRetriever(
        retrievers=[words, store.as_retriever(search_kwargs={"k": limit})], weights=[0.5, 0.5]
    )
    seconds, found = [], []
    for question in questions[:5]:
        retriever.invoke(question)
    for question in questions:
        started = time.perf_counter()
        hits = retriever.invoke(question)
        seconds.append(time.perf_counter() - started)
        found.append([hit.metadata["chunk"] for hit in hits[:limit]])
    memory = round(psutil.Process().memory_info().rss / 1e6)
    print(json.dumps({"build_seconds": built, "memory_mb": memory, "seconds": seconds, "found": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
