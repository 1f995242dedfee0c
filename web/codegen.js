// Types and documents for TypeScript, from the schema of the service and the operations of the page. The same as
// graphql-codegen's command line does with `preset: "client"`, without the hundreds of packages of its loaders.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codegen } from '@graphql-codegen/core'
import { preset } from '@graphql-codegen/client-preset'
import { buildSchema, isAbstractType, parse } from 'graphql'

const sdl = await readFile('../schema.graphql', 'utf8')
const schema = buildSchema(sdl)
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
  schemaAst: schema,
  documents,
  pluginMap: {},
  plugins: [],
  presetConfig: { fragmentMasking: false },
  config: {
    enumType: 'string-literal',
    useTypeImports: true,
    scalars: { DateTime: 'string', JSON: 'unknown', Score: 'number' },
  },
})
// Apollo's cache must know the members of interfaces and unions: without them it drops `... on UserError` in silence.
const possibleTypes = Object.fromEntries(
  Object.values(schema.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [
      type.name,
      schema
        .getPossibleTypes(type)
        .map((member) => member.name)
        .sort(),
    ])
    .sort(),
)
for (const output of outputs) {
  await mkdir(dirname(output.filename), { recursive: true })
  await writeFile(output.filename, await codegen({ ...output, cache: undefined }))
}
await writeFile(
  'src/generated/possibleTypes.ts',
  `/** The members of every interface and union of the schema. */\nexport const possibleTypes = ${JSON.stringify(possibleTypes, null, 2)}\n`,
)
