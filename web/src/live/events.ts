/** One event of a stream of server-sent events. */
export interface ServerEvent {
  name: string
  text: string
}

/**
 * The events of a body. Comments come as events without a name, because they are signs of life.
 * `EventSource` could read it too, but it can neither send headers nor tell a heartbeat.
 */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const blocks = (rest + value).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) yield eventOf(block)
  }
}

function eventOf(block: string): ServerEvent {
  let name = ''
  const lines: string[] = []
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) name = line.slice(6).trim()
    else if (line.startsWith('data:')) lines.push(line.slice(5).trimStart())
  }
  return { name, text: lines.join('\n') }
}
