import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { compressed } from './compressed.ts'

const SERVICE = process.env.SERVICE ?? 'http://127.0.0.1:8000'

// Each page is built alone (`--mode board`, `--mode graphiql`): a chunk they share would bring the board what only the
// editor needs, a GraphQL parser for instance.
export default defineConfig(({ mode }) => ({
  plugins: [react(), compressed()],
  build: {
    outDir: 'dist',
    emptyOutDir: mode !== 'graphiql',
    target: 'es2023',
    // The licences of what is bundled travel with it.
    license: { fileName: `licenses/${mode}.md` },
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 8_000,
    reportCompressedSize: false,
    rolldownOptions: {
      input: mode === 'graphiql' ? 'graphiql.html' : 'index.html',
      onLog(level, log, report) {
        // "use no memo" speaks to a compiler that is not used here.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log)
      },
    },
  },
  server: {
    proxy: {
      '/graphql': { target: SERVICE, ws: true },
      '/environment.json': SERVICE,
      '/demo': SERVICE,
    },
  },
}))
