// Types and documents for TypeScript, from the schema of the service and the operations of the page. The same as
// graphql-codegen's command line does with `preset: "client"`, without the hundreds of packages of its loaders.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codegen } from '@graphql-codegen/core'
import { preset } from '@graphql-codegen/client-preset'
import { buildSchema, parse } from 'graphql'

const sdl = await readFile('../schema.graphql', 'utf8')
const operations = 'src/operations'
const documents = []
for (const name of (await readdir(operations)).sort()) {
  const location = join(operations, name)
  const rawSDL = await readFile(location, 'utf8')
  documents.push({ location, rawSDL, document: parse(rawSDL) })
}

const outputs = await preset.buildGeneratesSection({
  baseOutputDir: 'src/generated/',
  schema: parse(sdl),
  schemaAst: buildSchema(sdl),
  documents,
  pluginMap: {},
  plugins: [],
  presetConfig: { fragmentMasking: false },
  config: { enumType: 'string-literal', useTypeImports: true, scalars: { DateTime: 'string', JSON: 'unknown' } },
})
for (const output of outputs) {
  await mkdir(dirname(output.filename), { recursive: true })
  await writeFile(output.filename, await codegen({ ...output, cache: undefined }))
}
