"""The cache of parsed and validated documents, and of those that were refused."""

from __future__ import annotations

import sys

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from app.execution.documents.operation import Operation
from app.execution.documents.selection import MarkedFields, is_uncacheable, reads_viewer
from app.execution.limits.limits import DocumentLimits
from app.execution.limits.measure import LimitExceeded, LookupFields, measure_document
from app.execution.limits.storable_values import StorableLiterals
from app.execution.lru_cache import LRUCache
from app.execution.request_error import BAD_USER_INPUT, PARSE_FAILED, VALIDATION_FAILED, RequestError

VALIDATION_RULES: tuple[type[ASTValidationRule], ...] = (
    StorableLiterals,
    *specified_rules,
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)

# A syntax tree with its tokens takes 100 to 280 bytes per character of the document.
BYTES_PER_CHARACTER = 250


def document_bytes(query: str) -> int:
    """Return about the memory that a prepared document takes."""
    return BYTES_PER_CHARACTER * len(query) + 1024


# Parsing costs 5 µs per token and comes before all other limits: 64 KiB of single letters would take a fifth of a
# second. The largest document that code generators and GraphiQL send has about 600 tokens.
MAX_TOKENS = 2000


class Document:
    """One accepted document. Its operations are prepared at the first use."""

    def __init__(
        self,
        query: str,
        schema: GraphQLSchema,
        tree: DocumentNode,
        lookups: LookupFields,
        *,
        max_list_size: int,
        viewers: MarkedFields,
        uncacheable: MarkedFields,
    ) -> None:
        self._query = query
        self._schema = schema
        self._tree = tree
        self._lookups = lookups
        self._max_list_size = max_list_size
        self._viewers = viewers
        self._uncacheable = uncacheable
        self._definitions: dict[str | None, OperationDefinitionNode] = {
            node.name.value if node.name else None: node
            for node in tree.definitions
            if isinstance(node, OperationDefinitionNode)
        }
        self._only = next(iter(self._definitions)) if len(self._definitions) == 1 else None
        self._prepared: dict[str | None, Operation] = {}

    def operation(self, name: str | None) -> Operation:
        """Return the operation called `name`, or the only one. Raises RequestError (BAD_USER_INPUT)."""
        name = self._only if name is None else name
        return self._prepared.get(name) or self._prepare(name)

    def _prepare(self, name: str | None) -> Operation:
        definition = self._definitions.get(name)
        if definition is None:
            reason = (
                "Must provide operation name if query contains multiple operations."
                if name is None
                else f"Unknown operation named '{name}'."
            )
            raise RequestError.from_error(GraphQLError(reason), BAD_USER_INPUT)
        operation = Operation(
            self._query,
            self._schema,
            self._tree,
            definition,
            self._lookups.get(name, ()),
            max_list_size=self._max_list_size,
            viewers=self._viewers,
            uncacheable=self._uncacheable,
        )
        self._prepared[name] = operation
        return operation


class DocumentCache:
    """The documents used last, so that only the first request pays for parsing and validation.

    Accepted and refused documents are kept apart: a flood of bad ones cannot evict the good.
    """

    def __init__(self, schema: GraphQLSchema, limits: DocumentLimits | None, max_entries: int, max_bytes: int) -> None:
        """Keep up to `max_entries` documents of either kind, in about `max_bytes` of memory for each kind."""
        self._schema = schema
        self._limits = limits
        self._viewers = MarkedFields(schema, reads_viewer)
        self._uncacheable = MarkedFields(schema, is_uncacheable)
        self.accepted: LRUCache[str, Document] = LRUCache(max_entries, max_bytes)
        self._refused: LRUCache[str, RequestError] = LRUCache(max_entries, max_bytes)

    def __contains__(self, query: str) -> bool:
        """Return whether a text has been prepared or refused, and is still cached."""
        return query in self.accepted or query in self._refused

    def get(self, query: str) -> Document:
        """Return the document of a text. Raises RequestError when it cannot be parsed, is too large or not valid."""
        document = self.accepted.get(query)
        if document is not None:
            return document
        refused = self._refused.get(query)
        if refused is not None:
            # A new exception each time: raising the same object again makes its traceback longer and longer.
            raise RequestError(refused.errors)
        try:
            document = self._admit(query)
        except RequestError as request_error:
            self._refused.put(query, RequestError(request_error.errors), len(query) + 1024)
            raise
        self.accepted.put(query, document, document_bytes(query))
        return document

    def _admit(self, query: str) -> Document:
        try:
            tree = parse(query, max_lexical_tokens=MAX_TOKENS, max_comments=MAX_TOKENS)
        except GraphQLError as error:
            raise RequestError.from_error(error, PARSE_FAILED) from None
        lookups: LookupFields = {}
        if self._limits:
            try:
                lookups = measure_document(self._schema, tree, len(query), self._limits)
            except LimitExceeded as exceeded:
                raise RequestError.from_error(GraphQLError(exceeded.reason), exceeded.code) from None
        # Only one error is reported, so validation stops at the first.
        if errors := validate(self._schema, tree, VALIDATION_RULES, max_errors=1, hide_suggestions=True):
            raise RequestError.from_error(errors[0], VALIDATION_FAILED)
        return Document(
            query,
            self._schema,
            tree,
            lookups,
            max_list_size=self._limits.max_list_size if self._limits else sys.maxsize,
            viewers=self._viewers,
            uncacheable=self._uncacheable,
        )
