"""A stock LangChain pipeline over PDFs, as tutorials put it together; a program in an environment of its own.

PyPDFLoader by pages, RecursiveCharacterTextSplitter(1000, 100), HuggingFaceEmbeddings, Chroma, BM25Retriever over
rank-bm25, EnsembleRetriever with equal weights, ChatOpenAI at temperature 0: the real classes with their defaults, only
more candidates than the default four, so that ranks down to ten can be measured.

One JSON object comes in on standard input (`eval.baselines.stock` writes it), JSON lines go out on standard output: one
with `event` "index", then one "question" for each question. What libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from chromadb.config import Settings as ChromaSettings
from langchain_chroma import Chroma
from langchain_classic.retrievers import EnsembleRetriever
from langchain_community.document_loaders import PyPDFLoader
from langchain_community.retrievers import BM25Retriever
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_openai import ChatOpenAI
from langchain_text_splitters import RecursiveCharacterTextSplitter

Json = dict[str, Any]
CHUNK_SIZE, CHUNK_OVERLAP = 1000, 100
CHUNKS = "chunks.json"


def main() -> int:
    """Fills the index or finds it filled, then asks question by question."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    order = json.load(sys.stdin)
    embeddings = HuggingFaceEmbeddings(model_name=order["embedder"])
    chunks, store, unreadable = index([Path(pdf) for pdf in order["pdfs"]], Path(order["index"]), embeddings)
    say(out, {"event": "index", "chunks": len(chunks), "unreadable": unreadable})
    ranked = order["ranked"]
    by_words = BM25Retriever.from_documents(chunks, k=ranked)
    by_vectors = store.as_retriever(search_kwargs={"k": ranked})
    retriever = EnsembleRetriever(retrievers=[by_words, by_vectors], weights=[0.5, 0.5])
    model = ChatOpenAI(temperature=0, **order["model"]) if order["model"] else None
    for question in order["questions"]:
        say(out, {"event": "question", "key": question["key"], **ask(order, retriever, model, question)})
    return 0


def index(
    pdfs: list[Path], folder: Path, embeddings: HuggingFaceEmbeddings
) -> tuple[list[Document], Chroma, list[str]]:
    """The chunks and the store that holds their vectors, and the files that could not be loaded.

    The list of chunks is written last: a folder without it was left half filled and is filled anew.
    """
    kept = folder / CHUNKS
    whole = kept.exists()
    if not whole and folder.exists():
        shutil.rmtree(folder)
    settings = ChromaSettings(anonymized_telemetry=False)
    place = {"persist_directory": str(folder / "chroma"), "client_settings": settings}
    if whole:
        held = json.loads(kept.read_text(encoding="utf-8"))
        chunks = [Document(page_content=text, metadata=metadata) for text, metadata in held["chunks"]]
        return chunks, Chroma(embedding_function=embeddings, **place), held["unreadable"]
    pages, unreadable = load(pdfs)
    splitter = RecursiveCharacterTextSplitter(chunk_size=CHUNK_SIZE, chunk_overlap=CHUNK_OVERLAP)
    chunks = splitter.split_documents(pages)
    for number, chunk in enumerate(chunks):
        chunk.metadata["chunk"] = number
    store = Chroma.from_documents(chunks, embeddings, **place)
    rows = [(chunk.page_content, chunk.metadata) for chunk in chunks]
    unfinished = kept.with_suffix(".new")
    unfinished.write_text(json.dumps({"chunks": rows, "unreadable": unreadable}), encoding="utf-8")
    unfinished.replace(kept)
    return chunks, store, unreadable


def load(pdfs: list[Path]) -> tuple[list[Document], list[str]]:
    """The pages of all files, and the names of the files that the loader gave up on."""
    pages: list[Document] = []
    unreadable = []
    for path in pdfs:
        try:
            pages += PyPDFLoader(str(path)).load()
        except Exception as error:  # noqa: BLE001 - a loader raises what it likes, and the other files still count
            print(f"{path.name}: {error!r}")
            unreadable.append(path.name)
    return pages, unreadable


def ask(order: Json, retriever: EnsembleRetriever, model: ChatOpenAI | None, question: Json) -> Json:
    """What one question finds and, where there is a model, how it is answered; an `error` where that failed."""
    started = time.perf_counter()
    try:
        found = retriever.invoke(question["question"])
        reply: Json = {"found": [place(document) for document in found]}
        reply["seconds_to_sources"] = time.perf_counter() - started
        if model is not None:
            system = order["system"][question["language"]]
            chain = ChatPromptTemplate.from_messages([("system", system), ("human", "{question}")]) | model
            context = "\n\n".join(document.page_content for document in found[: order["passages"]])
            message = chain.invoke({"context": context, "question": question["question"]})
            usage: Json = dict(message.usage_metadata or {})
            reply["answer"] = message.text
            reply["prompt_tokens"] = usage.get("input_tokens")
            reply["completion_tokens"] = usage.get("output_tokens")
    except Exception as error:  # noqa: BLE001 - the child's boundary: the other questions are still asked
        return {"error": repr(error)[:500]}
    reply["seconds"] = time.perf_counter() - started
    return reply


def place(document: Document) -> tuple[str, int, int]:
    """File name, 1-based page and number of a chunk."""
    return Path(document.metadata["source"]).name, document.metadata["page"] + 1, document.metadata["chunk"]


def say(out: TextIO, line: Json) -> None:
    """One line, at once: what came through is kept where the rest breaks off."""
    out.write(json.dumps(line, ensure_ascii=False) + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
