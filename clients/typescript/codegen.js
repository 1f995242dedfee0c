// Writes src/generated/ from ../../schema.graphql and src/operations/: the types of the operations by GraphQL Code
// Generator, the operations as minified text, and the members of interfaces and unions.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codegen } from '@graphql-codegen/core'
import * as operationTypes from '@graphql-codegen/typescript-operations'
import { buildSchema, isAbstractType, parse, print, stripIgnoredCharacters, visit } from 'graphql'

const here = dirname(fileURLToPath(import.meta.url))
const operations = join(here, 'src/operations')
const generated = join(here, 'src/generated')

const sdl = await readFile(join(here, '../../schema.graphql'), 'utf8')
const schema = buildSchema(sdl)
const documents = []
for (const name of (await readdir(operations)).sort()) {
  const location = join(operations, name)
  const rawSDL = await readFile(location, 'utf8')
  documents.push({ location, rawSDL, document: parse(rawSDL) })
}

const types = await codegen({
  filename: join(generated, 'operations.ts'),
  schema: parse(sdl),
  schemaAst: schema,
  documents,
  pluginMap: { operationTypes },
  plugins: [{ operationTypes: {} }],
  config: {
    enumType: 'string-literal',
    useTypeImports: true,
    skipTypename: true,
    scalars: { DateTime: 'string', ID: 'string', JSON: 'unknown', Score: 'number' },
  },
})

const definitions = documents.flatMap(({ document }) => document.definitions)
const fragments = new Map(definitions.filter(isFragment).map((each) => [each.name.value, each]))

function isFragment(definition) {
  return definition.kind === 'FragmentDefinition'
}

/** Adds the names of the fragments that `definition` needs to `names`, and returns them. */
function fragmentsOf(definition, names = new Set()) {
  visit(definition, {
    FragmentSpread({ name: { value } }) {
      if (names.has(value)) return
      names.add(value)
      fragmentsOf(fragments.get(value), names)
    },
  })
  return names
}

const texts = definitions
  .filter((each) => !isFragment(each))
  .map((each) => {
    const name = each.name.value
    const result = name + each.operation.replace(/^./, (letter) => letter.toUpperCase())
    const needed = [each, ...[...fragmentsOf(each)].map((fragment) => fragments.get(fragment))]
    const text = stripIgnoredCharacters(needed.map(print).join('\n'))
    return `export const ${name}Document = ${JSON.stringify(text)} as Document<${result}, ${result}Variables>`
  })

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

await mkdir(generated, { recursive: true })
await writeFile(
  join(generated, 'operations.ts'),
  `import type { Document } from '../requests/document.js'\n${types}\n${texts.join('\n')}\n`,
)
await writeFile(
  join(generated, 'possibleTypes.ts'),
  `/** The members of every interface and union of the schema, for \`InMemoryCache\` of Apollo Client. */
export const possibleTypes: Record<string, string[]> = ${JSON.stringify(possibleTypes, null, 2)}\n`,
)
