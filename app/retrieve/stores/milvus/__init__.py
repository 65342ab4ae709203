"""Milvus as vector store and keyword index: one server that several API and worker processes share.

Layout: a collection per index id and side, `mqa_vectors_...` and `mqa_keywords_...`, so that the scope of every request
is the collection itself. A collection shared by all knowledge bases with a partition key for each was tried and left:
BM25's word statistics are those of a whole collection, so one knowledge base would change the ranking of another; an
upsert on Milvus 2.3.5 puts rows under a partition key where filtered searches do not find them; and dropping a
generation would be millions of deletes to compact instead of one call.

Generations: the catalogue's row says which index id is live and changes in one transaction. An alias in Milvus would be
a second answer to the same question, changed outside that transaction, so there is none.

Consistency: a write returns once one read at level "Strong" has seen it, so whatever the catalogue calls ready after it
can be found. Questions read at "Bounded": they need not wait for the server's next time tick (200 ms) as "Strong" does,
and a replica that did not serve that first read is at most five seconds behind. What compares indexes with the
catalogue, such as `ids`, reads at "Strong".
"""
