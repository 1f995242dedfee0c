/** What an access token says about itself. The service verifies it; here it is only read. */
export interface Claims {
  subject: string
  username: string
  /** Milliseconds since 1970. */
  expiresAt: number
}

/** The claims of a JWT, or null for anything else. */
export function claimsOf(token: string): Claims | null {
  const body = token.split('.')[1]
  if (body === undefined || token.split('.').length !== 3) return null
  try {
    const bytes = Uint8Array.from(atob(body.replaceAll('-', '+').replaceAll('_', '/')), (letter) =>
      letter.charCodeAt(0),
    )
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
    if (typeof claims.exp !== 'number' || typeof claims.sub !== 'string') return null
    return {
      subject: claims.sub,
      username: typeof claims.username === 'string' ? claims.username : claims.sub,
      expiresAt: claims.exp * 1000,
    }
  } catch {
    return null
  }
}
