"""Documents: parsed, limited, validated, and remembered whether they passed or not."""

from __future__ import annotations

from collections.abc import Callable

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
from app.execution.documents.selection import Marked, is_uncacheable, reads_viewer
from app.execution.limits.storable_values import HoldableLiterals
from app.execution.lru_cache import LRUCache
from app.execution.request_error import BAD_USER_INPUT, PARSE_FAILED, TOO_COMPLEX, VALIDATION_FAILED, RequestError

Limits = Callable[[GraphQLSchema, DocumentNode, int], GraphQLError | None]
"""Judges a parsed document; the last argument is the length of its text in characters."""

RULES: tuple[type[ASTValidationRule], ...] = (
    HoldableLiterals,
    *specified_rules,
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)

# A syntax tree with its tokens takes 100 to 280 bytes per character of the document.
BYTES_PER_CHARACTER = 250

# Parsing costs 5 µs per token and comes before any other limit can look: 64 KiB of single letters would take
# a fifth of a second. The largest document that code generators and GraphiQL send has about 600 tokens.
MOST_TOKENS = 2000


class Document:
    """One accepted document. Its operations are prepared when first asked for."""

    def __init__(
        self, query: str, schema: GraphQLSchema, tree: DocumentNode, *, viewers: Marked, uncacheable: Marked
    ) -> None:
        self._query = query
        self._schema = schema
        self._tree = tree
        self._viewers = viewers
        self._groundless = uncacheable
        self._definitions: dict[str | None, OperationDefinitionNode] = {
            node.name.value if node.name else None: node
            for node in tree.definitions
            if isinstance(node, OperationDefinitionNode)
        }
        self._only = next(iter(self._definitions)) if len(self._definitions) == 1 else None
        self._prepared: dict[str | None, Operation] = {}

    def operation(self, name: str | None) -> Operation:
        """The operation called `name`, or the only one there is. Raises Refusal (BAD_USER_INPUT)."""
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
            raise RequestError.because(GraphQLError(reason), BAD_USER_INPUT)
        operation = Operation(
            self._query,
            self._schema,
            self._tree,
            definition,
            viewers=self._viewers,
            uncacheable=self._groundless,
        )
        self._prepared[name] = operation
        return operation


class Documents:
    """Every document seen lately, so that only its first request pays for parsing and validation.

    Accepted and refused documents are kept apart: a flood of bad ones cannot push out the good.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits | None, entries: int, size: int) -> None:
        """Keep up to `entries` documents of either kind, in about `size` bytes of memory for each kind."""
        self._schema = schema
        self._limits = limits
        self._viewers = Marked(schema, reads_viewer)
        self._groundless = Marked(schema, is_uncacheable)
        self._accepted: LRUCache[str, Document] = LRUCache(entries, size)
        self._refused: LRUCache[str, RequestError] = LRUCache(entries, size)

    def get(self, query: str) -> Document:
        """The document of this text. Raises Refusal when it cannot be parsed, is too large or not valid."""
        document = self._accepted.get(query)
        if document is not None:
            return document
        refused = self._refused.get(query)
        if refused is not None:
            # A new exception each time: raising one object again lengthens its traceback for ever.
            raise RequestError(refused.errors)
        try:
            document = self._admit(query)
        except RequestError as request_error:
            self._refused.put(query, RequestError(request_error.errors), len(query) + 1024)
            raise
        self._accepted.put(query, document, BYTES_PER_CHARACTER * len(query) + 1024)
        return document

    def _admit(self, query: str) -> Document:
        try:
            tree = parse(query, max_lexical_tokens=MOST_TOKENS, max_comments=MOST_TOKENS)
        except GraphQLError as error:
            raise RequestError.because(error, PARSE_FAILED) from None
        if self._limits is not None and (over := self._limits(self._schema, tree, len(query))):
            raise RequestError.because(over, TOO_COMPLEX)
        # One error is all that is ever told, so the search stops at the first.
        if errors := validate(self._schema, tree, RULES, max_errors=1, hide_suggestions=True):
            raise RequestError.because(errors[0], VALIDATION_FAILED)
        return Document(query, self._schema, tree, viewers=self._viewers, uncacheable=self._groundless)
