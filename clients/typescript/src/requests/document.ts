/** The text of an operation, with the types of its variables and of its result. A plain string is a `Document` too. */
export type Document<Data = unknown, Variables = Record<string, unknown>> = string & {
  /** Never there: it carries the types. */
  readonly __types?: (variables: Variables) => Data
}

/** Whether the operation only reads, so that it may be sent again at any time. */
export function isQuery(document: string): boolean {
  return /^\s*(query\b|\{)/.test(document)
}
