import assert from 'node:assert/strict'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const MAX_BYTES = 15_000

/** What a bundler makes of a page with this code, without React. */
async function bundle(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    minify: true,
    format: 'esm',
    external: ['react'],
    write: false,
  })
  return outputFiles[0]
}

test('everything together takes at most 15 kB, compressed', async () => {
  const { contents } = await bundle("export * from 'leaderboard-client'; export * from 'leaderboard-client/react'")
  assert.ok(gzipSync(contents).length <= MAX_BYTES, `${gzipSync(contents).length} bytes`)
})

test('a page that only plays does not carry the live connection', async () => {
  const playing = await bundle("export { LeaderboardClient, play } from 'leaderboard-client'")
  assert.doesNotMatch(playing.text, /graphql-transport-ws|leaderboardUpdates/)
  const watching = await bundle("export { LeaderboardClient, watchBoard } from 'leaderboard-client'")
  assert.match(watching.text, /graphql-transport-ws/)
  assert.doesNotMatch(watching.text, /submitScore/)
})
