import { Composer, type CST, isMap, isScalar, Lexer, LineCounter, Parser, visit } from 'yaml'
import { PolicyError } from './policy-error.ts'

const MAX_BYTES = 1024 * 1024
const MAX_NESTING = 100
const PLAIN_INTEGER = /^(0|-?[1-9]\d{0,14})$/

/**
 * Parses YAML 1.2 (core schema), of which JSON is a part, without what makes YAML dangerous: anchors, aliases, merge
 * keys, tags, directives, several documents, keys twice, keys that are not text, numbers that are not plain decimal
 * integers.
 *
 * @throws {PolicyError} `ERR_POLICY_SYNTAX`, with line and column.
 */
export function parseStrictYaml(text: string): unknown {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new PolicyError('ERR_POLICY_SYNTAX', '', 'larger than 1 MiB')
  const lines = new LineCounter()
  function refuse(offset: number, problem: string): never {
    const { line, col } = lines.linePos(offset)
    throw new PolicyError('ERR_POLICY_SYNTAX', '', `line ${line}, column ${col}: ${problem}`)
  }
  const composer = new Composer({ version: '1.2', schema: 'core', merge: false })
  const [document, another] = composer.compose(tokens(text, lines), true, text.length)
  if (document === undefined || another !== undefined) refuse(another?.range[0] ?? 0, 'must be one document')

  // The messages of the parser quote the text, its codes do not.
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) refuse(problem.pos[0], problem.code)
  const { directives } = document
  if (directives?.yaml.explicit || Object.keys(directives?.tags ?? {}).length > 1)
    refuse(0, 'directives are not allowed')

  visit(document, {
    Alias: (_, alias) => refuse(alias.range?.[0] ?? 0, 'aliases are not allowed'),
    Node: (_, node) => {
      const at = node.range?.[0] ?? 0
      if ('anchor' in node && node.anchor !== undefined) refuse(at, 'anchors are not allowed')
      if (node.tag !== undefined) refuse(at, 'tags are not allowed')
      if (isScalar(node) && typeof node.value === 'number' && !PLAIN_INTEGER.test(node.source ?? '')) {
        refuse(at, 'a number must be a plain decimal integer; put it in quotes if text is meant')
      }
      if (isMap(node) && node.items.some(({ key }) => !isScalar(key) || typeof key.value !== 'string')) {
        refuse(at, 'a key must be text')
      }
    },
  })
  return document.toJS({ maxAliasCount: 0 }) as unknown
}

/** The composer recurses, and V8 aborts the process if its stack ends within a regular expression: hence a bound first. */
function* tokens(text: string, lines: LineCounter): Generator<CST.Token, void> {
  const parser = new Parser(lines.addNewLine)
  lines.addNewLine(0)
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme)
    if (parser.stack.length > MAX_NESTING) throw new PolicyError('ERR_POLICY_SYNTAX', '', 'nested too deep')
  }
  yield* parser.end()
}
