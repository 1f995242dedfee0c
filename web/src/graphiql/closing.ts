const REASONS: Record<number, string> = {
  4400: 'The server did not understand this client',
  4401: 'The access token in the headers is not valid',
  4403: 'The access token in the headers has expired',
  4429: 'Too many sockets or messages: a newer window took over',
}

/** Why a socket was closed, in words. */
export function reasonOf({ code, reason }: CloseEvent): string {
  const words = REASONS[code] ?? 'The socket was closed'
  return `${words} (${[code, reason].filter(Boolean).join(' ')}).`
}
