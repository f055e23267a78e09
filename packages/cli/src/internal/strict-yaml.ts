import { isMap, isScalar, Lexer, LineCounter, Parser, parseDocument, visit } from 'yaml'
import { ConfigError } from './config-error.ts'

/**
 * Parses YAML 1.2 (core schema) as strictly as the policy loader: no anchors, aliases, tags or directives, one document,
 * no key twice, keys are text, numbers are plain decimal integers.
 *
 * @throws {ConfigError} with line and column; never with the text that stands there.
 */
export function parseStrictYaml(text: string): unknown {
  const lineCounter = new LineCounter()
  function refuse(offset: number, problem: string): never {
    const { line, col } = lineCounter.linePos(offset)
    throw new ConfigError([{ path: '', problem: `line ${line}, column ${col}: ${problem}` }])
  }
  if (isDeep(text)) refuse(0, 'nested too deep')
  const document = parseDocument(text, { version: '1.2', schema: 'core', merge: false, uniqueKeys: true, lineCounter })
  // The messages of the parser quote the text, its codes do not.
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) refuse(problem.pos[0], problem.code)
  if (document.directives?.yaml.explicit === true) refuse(0, 'directives are not allowed')

  visit(document, {
    Alias: (_, { range }) => refuse(range?.[0] ?? 0, 'aliases are not allowed'),
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

const PLAIN_INTEGER = /^(0|-?[1-9]\d{0,14})$/
const MAX_NESTING = 100

/** What composes the document recurses, and V8 aborts the process where the stack ends within a regular expression. */
function isDeep(text: string): boolean {
  const parser = new Parser()
  for (const lexeme of new Lexer().lex(text)) {
    Array.from(parser.next(lexeme))
    if (parser.stack.length > MAX_NESTING) return true
  }
  return false
}
