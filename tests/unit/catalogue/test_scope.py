"""No query leaves the scope it runs in, whatever table it reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, func, select, update

from app.catalogue.database import Sessions, open_database
from app.catalogue.records import KnowledgeBase
from app.catalogue.scope import CLOSED, SCOPED, SERVER_WIDE, WHOLE, Scope, UnscopedQueryError, open_to, within
from app.catalogue.tables import DocumentRow, FinetuneJobRow, KeyRow, KnowledgeBaseRow, Table
from app.errors import DocumentNotFound, KeyLimited, KnowledgeBaseNotFound
from app.types import DocumentState
from tests.fixtures.catalogues import ROOM, Catalogue, a_file
from tests.unit.catalogue.test_copying import fill

ROWS = {mapper.class_.__tablename__: mapper.class_ for mapper in Table.registry.mappers}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Every table with rows of three knowledge bases; those of one name the rows of the same one."""
    folder: Path = tmp_path_factory.mktemp("scope")
    engine = open_database(folder)
    fill(engine)
    return engine


def first_base(sessions: Sessions) -> str:
    with sessions() as session:
        return str(session.scalars(select(KnowledgeBaseRow.id).order_by(KnowledgeBaseRow.id)).first())


def test_every_table_belongs_to_knowledge_bases_or_is_said_to_be_the_servers() -> None:
    assert set(Table.metadata.tables) == SCOPED | SERVER_WIDE
    assert not SCOPED & SERVER_WIDE
    assert not [name for name in SERVER_WIDE - {"key_scopes"} if "knowledge_base_id" in Table.metadata.tables[name].c]


@pytest.mark.parametrize("name", sorted(SCOPED))
def test_of_every_table_only_rows_of_the_scope_are_found(filled: Engine, name: str) -> None:
    sessions, row = Sessions(filled), ROWS[name]
    key = row.__table__.primary_key.columns.values()
    with sessions() as session:
        everything = session.scalar(select(func.count()).select_from(row)) or 0
    assert everything == 3
    with within(Scope(frozenset({first_base(sessions)}))), sessions() as session:
        found = session.scalars(select(row)).all()
        assert len(found) == 1
        assert session.scalar(select(func.count()).select_from(row)) == 1
        mine = tuple(getattr(found[0], column.name) for column in key)
        session.expunge_all()
        assert session.get(row, mine) is not None
    with sessions() as session:
        others = [
            identity
            for one in session.scalars(select(row))
            if (identity := tuple(getattr(one, column.name) for column in key)) != mine
        ]
    with within(Scope(frozenset({first_base(sessions)}))), sessions() as session:
        assert [session.get(row, other) for other in others] == [None, None]
    with within(Scope(frozenset())), sessions() as session:  # limited to a knowledge base that is gone
        assert session.scalars(select(row)).all() == []


@pytest.mark.parametrize("name", sorted(SCOPED))
def test_before_the_key_is_known_nothing_may_be_asked(filled: Engine, name: str) -> None:
    with within(CLOSED), Sessions(filled)() as session, pytest.raises(UnscopedQueryError):
        session.scalars(select(ROWS[name])).all()


def test_what_is_the_servers_is_found_in_every_scope(filled: Engine) -> None:
    for scope in (CLOSED, WHOLE, Scope(frozenset({"kb-none"}))):
        with within(scope), Sessions(filled)() as session:
            assert len(session.scalars(select(KeyRow)).all()) == 3


def test_joins_subqueries_and_counts_keep_within_it(filled: Engine) -> None:
    sessions = Sessions(filled)
    joined = select(FinetuneJobRow.id, KnowledgeBaseRow.name).join(
        KnowledgeBaseRow, KnowledgeBaseRow.id == FinetuneJobRow.knowledge_base_id
    )
    nested = select(func.count()).select_from(select(DocumentRow.id).subquery())
    exists = select(KeyRow.id).where(select(DocumentRow.id).where(DocumentRow.id != "").exists())
    with within(Scope(frozenset({first_base(sessions)}))), sessions() as session:
        assert len(session.execute(joined).all()) == 1
        assert session.scalar(nested) == 1
    with within(Scope(frozenset({"kb-none"}))), sessions() as session:
        assert session.execute(joined).all() == []
        assert session.scalar(nested) == 0
        assert session.scalars(exists).all() == []


def test_changes_in_bulk_keep_within_it(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    fill(engine)
    sessions = Sessions(engine)
    with within(Scope(frozenset({first_base(sessions)}))), sessions.begin() as session:
        session.execute(update(DocumentRow).values(name="renamed"))
        session.execute(delete(FinetuneJobRow))
    with sessions() as session:
        assert list(session.scalars(select(DocumentRow.name))).count("renamed") == 1
        assert session.scalar(select(func.count()).select_from(FinetuneJobRow)) == 2
    engine.dispose()


class TestACatalogueInScope:
    """The catalogue's own operations, by somebody who may use one of two knowledge bases."""

    @pytest.fixture
    def mine(self, catalogue: Catalogue) -> KnowledgeBase:
        return catalogue.base("mine")

    @pytest.fixture
    def foreign(self, catalogue: Catalogue) -> KnowledgeBase:
        return catalogue.base("foreign")

    def test_foreign_is_as_if_it_were_not_there(
        self, catalogue: Catalogue, mine: KnowledgeBase, foreign: KnowledgeBase
    ) -> None:
        other = catalogue.ready(foreign, a_file("theirs"))
        catalogue.ready(mine, a_file("ours"))
        with within(Scope(frozenset({mine.id}))):
            assert [base.id for base in catalogue.bases.all()] == [mine.id]
            with pytest.raises(KnowledgeBaseNotFound):
                catalogue.bases.get(foreign.id)
            with pytest.raises(DocumentNotFound):
                catalogue.documents.hide(foreign.id, other.document)
            with pytest.raises(KnowledgeBaseNotFound):
                catalogue.documents.add(foreign.id, a_file("sneaked in"), ROOM)
        with catalogue.sessions() as session:
            kept = session.get(DocumentRow, other.document)
            assert kept is not None
            assert kept.state == DocumentState.READY

    def test_bytes_that_others_use_are_in_use(
        self, catalogue: Catalogue, mine: KnowledgeBase, foreign: KnowledgeBase
    ) -> None:
        theirs = a_file("theirs")
        catalogue.ready(foreign, theirs)
        with within(Scope(frozenset({mine.id}))):
            assert catalogue.documents.uses(theirs.sha256)

    def test_a_new_knowledge_base_needs_the_whole_server(self, catalogue: Catalogue, mine: KnowledgeBase) -> None:
        with within(Scope(frozenset({mine.id}))), pytest.raises(KeyLimited):
            catalogue.base("a third one")
        assert [base.id for base in catalogue.bases.all()] == [mine.id]

    def test_a_row_cannot_be_written_into_another(self, catalogue: Catalogue, mine: KnowledgeBase) -> None:
        foreign = catalogue.base("foreign")
        with pytest.raises(KeyLimited), within(Scope(frozenset({mine.id}))), catalogue.sessions.begin() as session:
            session.add(
                DocumentRow(id="doc-x", knowledge_base_id=foreign.id, name="x", media_type="", sha256="", bytes=0)
            )


def test_what_is_opened_inside_ends_with_the_block(filled: Engine) -> None:
    sessions = Sessions(filled)
    with within(CLOSED):
        open_to(None)
        with sessions() as session:
            assert len(session.scalars(select(DocumentRow)).all()) == 3
    with within(CLOSED), sessions() as session, pytest.raises(UnscopedQueryError):
        session.scalars(select(DocumentRow)).all()
