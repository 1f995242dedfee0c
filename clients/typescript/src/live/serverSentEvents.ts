/** One event of a stream of server-sent events. */
export interface ServerSentEvent {
  name: string
  data: string
}

/**
 * Read the events of a body. Comments are returned as events without a name, because they show that the connection
 * works. `EventSource` could read the stream too, but can neither send headers nor show comments.
 */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) yield eventOf(block)
  }
}

function eventOf(block: string): ServerSentEvent {
  let name = ''
  const lines: string[] = []
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) name = line.slice(6).trim()
    else if (line.startsWith('data:')) lines.push(line.slice(5).trimStart())
  }
  return { name, data: lines.join('\n') }
}
