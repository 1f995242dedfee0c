// Bundles the page of the browser test into the folder that is named.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const [folder] = process.argv.slice(2)
await build({
  entryPoints: [fileURLToPath(new URL('page.jsx', import.meta.url))],
  outfile: join(folder, 'page.js'),
  bundle: true,
  format: 'esm',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"development"' },
})
await writeFile(
  join(folder, 'index.html'),
  '<!doctype html><link rel="icon" href="data:,"><main id="app"></main><script type="module" src="page.js"></script>',
)
