"""How large a document may be, judged in one pass before it is validated."""

from __future__ import annotations

from dataclasses import dataclass

from graphql import DocumentNode, FragmentDefinitionNode, GraphQLError, GraphQLSchema, OperationDefinitionNode

from app.execution.limits.measure import OverLimit, Ruler, at_most


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """The limits of one installation. Call it with a parsed document; it never raises.

    The defaults keep parsing, this pass and validation of any document within 50 ms, which `python -m bench.attack`
    measures, and leave room for what GraphiQL and code generators send. `introspection=False` refuses `__schema` and
    `__type`.
    """

    introspection: bool = True
    length: int = 65_536
    """Characters."""
    operations: int = 10
    fragments: int = 30
    """Fragment definitions. Colocated fragments of a whole page are about twenty."""
    variables: int = 50
    """Variables of one operation."""
    depth: int = 10
    """Fields above one another, introspection not counted: its own nesting is bounded by validation."""
    root_fields: int = 10
    aliases: int = 15
    directives: int = 40
    fields: int = 300
    cost: int = 6_000
    """Fields an execution may resolve: each counts once for every element of the lists around it."""
    list_size: int = 100
    """What a `limit`, `first` or `radius` counts as when it is a variable, and at most; resolvers refuse more."""
    unsized_list: int = 10
    """What a list counts as for which the client gives no size."""

    def __call__(self, schema: GraphQLSchema, document: DocumentNode, query_length: int) -> GraphQLError | None:
        """The first limit the document is over, as QUERY_TOO_COMPLEX, or None.

        Introspection where it is switched off is GRAPHQL_VALIDATION_FAILED. Documents that are invalid
        in other ways are measured as far as they can be understood, and left to validation.
        """
        try:
            at_most("characters", query_length, self.length)
            self._check(schema, document)
        except OverLimit as over:
            return GraphQLError(over.reason, extensions={"code": over.code})
        return None

    def _check(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        fragments = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
        at_most("operations", len(operations), self.operations)
        at_most("fragments", len(fragments), self.fragments)
        at_most("definitions", len(document.definitions), self.operations + self.fragments)
        ruler = Ruler(self, schema, fragments)
        # Validation looks at every operation and every fragment, whether it will be executed or not.
        together = 0
        for operation in operations:
            at_most("variables", len(operation.variable_definitions or ()), self.variables)
            measure = ruler.operation(operation)
            at_most("root fields", measure.width, self.root_fields)
            together += measure.fields
        for fragment in fragments:
            ruler.fragment(fragment.name.value)
        at_most("fields", together, self.fields)
