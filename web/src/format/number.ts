const formatter = new Intl.NumberFormat()

/** A whole number as the visitor writes it. */
export const numberOf = (value: number): string => formatter.format(value)

/** A gain or a loss, with its sign. */
export const signedOf = (value: number): string => (value < 0 ? `−${numberOf(-value)}` : `+${numberOf(value)}`)
