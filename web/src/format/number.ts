const formatter = new Intl.NumberFormat()

/** A whole number as the visitor writes it. */
export const numberOf = (value: number): string => formatter.format(value)
