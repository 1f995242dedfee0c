// Access tokens: verified once, remembered until they expire.

import { createHmac, timingSafeEqual } from 'node:crypto'

const verified = new Map()

export function callerOf(authorization, secret, audience) {
  const token = authorization?.slice('Bearer '.length)
  if (!token) return null
  let claims = verified.get(token)
  if (claims === undefined) {
    claims = verify(token, secret, audience)
    verified.set(token, claims)
  }
  if (claims.exp * 1000 < Date.now()) throw new Error('expired')
  return claims.sub
}

function verify(token, secret, audience) {
  const [header, payload, signature] = token.split('.')
  const expected = createHmac('sha256', secret).update(`${header}.${payload}`).digest()
  if (!timingSafeEqual(expected, Buffer.from(signature, 'base64url'))) throw new Error('forged')
  const claims = JSON.parse(Buffer.from(payload, 'base64url'))
  if (claims.aud !== audience) throw new Error('not for us')
  return claims
}
