/** Prints one line of JSON, for the test that has started the program. */
export function report(line) {
  console.log(JSON.stringify(line))
}

/** The options that the test has given as JSON. */
export const options = JSON.parse(process.argv[2])

/** Returns the given access tokens one after the other, a new one for each that was refused; null after the last. */
export function tokensInTurn(tokens) {
  let next = 0
  return (refused) => {
    if (refused !== null) next = tokens.indexOf(refused) + 1
    report({ asked: next })
    return tokens[next] ?? null
  }
}
