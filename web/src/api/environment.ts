/** What this server offers to this visitor beside the board. */
export interface Environment {
  /** Tokens for trying it out: in development, from the machine itself. */
  demo: boolean
  /** GraphiQL. */
  ide: boolean
}

export const PLAIN: Environment = { demo: false, ide: false }

/** Asks the server. Nothing depends on it but extras, so no answer means none of them. */
export async function readEnvironment(): Promise<Environment> {
  try {
    const answer = await fetch('/environment.json', { signal: AbortSignal.timeout(5_000) })
    return answer.ok ? ((await answer.json()) as Environment) : PLAIN
  } catch {
    return PLAIN
  }
}

/** An access token for a made-up player. Rejects when there is none to be had. */
export async function demoToken(user: string): Promise<string> {
  const answer = await fetch('/demo/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user }),
    signal: AbortSignal.timeout(5_000),
  })
  const body = (await answer.json()) as { token?: string; message?: string }
  if (!answer.ok || body.token === undefined) throw new Error(body.message ?? 'No demo token to be had.')
  return body.token
}
