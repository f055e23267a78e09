import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { readXml } from '../src/internal/xml-reader.ts'
import { assumed } from './sts-harness.ts'

const read = (text: string) => readXml(Buffer.from(text))

describe('readXml', () => {
  it('reads what STS writes', () => {
    expect(
      read('<?xml version="1.0" encoding="UTF-8"?>\n<A xmlns="https://x/">\n  <B>1</B>\n  <C><D/><E></E></C>\n</A>\n'),
    ).toEqual({
      name: 'A',
      content: new Map<string, unknown>([
        ['B', '1'],
        [
          'C',
          new Map([
            ['D', ''],
            ['E', ''],
          ]),
        ],
      ]),
    })
    expect(read(assumed())?.name).toBe('AssumeRoleResponse')
  })

  it('knows the five entities and characters by number', () => {
    expect(read('<A>&amp;&lt;&gt;&quot;&apos;&#65;&#x1F511;&#10;é</A>')?.content).toBe('&<>"\'A🔑\né')
  })

  it.each([
    ['nothing', ''],
    ['blanks', ' \n '],
    ['text', 'AccessDenied'],
    ['a tag that is not closed', '<A>'],
    ['a tag that is not open', '</A>'],
    ['tags that cross', '<A><B></A></B>'],
    ['two roots', '<A/><B/>'],
    ['text after the root', '<A/>x'],
    ['text before the root', 'x<A/>'],
    ['text between elements', '<A>x<B/></A>'],
    ['a name twice', '<A><B>1</B><B>2</B></A>'],
    ['a DTD', '<!DOCTYPE A><A/>'],
    ['an entity of its own', '<!DOCTYPE A [<!ENTITY x "y">]><A>&x;</A>'],
    ['an entity that nobody declared', '<A>&nbsp;</A>'],
    ['an ampersand', '<A>a & b</A>'],
    ['a comment', '<A><!-- x --></A>'],
    ['CDATA', '<A><![CDATA[x]]></A>'],
    ['a processing instruction', '<A><?x y?></A>'],
    ['a second declaration', '<?xml version="1.0"?><?xml version="1.0"?><A/>'],
    ['another encoding', '<?xml version="1.0" encoding="UTF-16"?><A/>'],
    ['an attribute', '<A b="c"/>'],
    ['a prefix', '<x:A xmlns:x="y"/>'],
    ['NUL', '<A>\0</A>'],
    ['NUL by number', '<A>&#0;</A>'],
    ['half a surrogate pair by number', '<A>&#xD800;</A>'],
    ['a number beyond Unicode', '<A>&#x110000;</A>'],
    ['nine levels', `${'<A>'.repeat(9)}${'</A>'.repeat(9)}`],
    ['a name of 65 characters', `<${'A'.repeat(65)}/>`],
  ])('refuses %s', (_, text) => {
    expect(read(text)).toBeUndefined()
  })

  it('refuses octets that are not UTF-8', () => {
    expect(readXml(Buffer.from([0x3c, 0x41, 0x3e, 0xff, 0x3c, 0x2f, 0x41, 0x3e]))).toBeUndefined()
    expect(readXml(Buffer.from('\ufeff<?xml version="1.0"?><A/>'))).toBeUndefined()
  })

  it('survives anything: damaged answers and noise', () => {
    const good = assumed()
    const damaged = fc
      .tuple(fc.nat(good.length - 1), fc.string({ maxLength: 4 }))
      .map(([at, text]) => good.slice(0, at) + text + good.slice(at + text.length))
    fc.assert(
      fc.property(fc.oneof(fc.string(), damaged), (text) => void read(text)),
      { numRuns: 2_000 },
    )
    fc.assert(fc.property(fc.uint8Array(), (octets) => void readXml(octets)))
  })

  it.each([
    '<A>'.repeat(21_000),
    `<A>${' '.repeat(65_000)}x`,
    '&'.repeat(65_000),
    '<A>&#'.repeat(13_000),
    '<'.repeat(65_000),
    `<A>${'&amp;'.repeat(13_000)}</A>`,
  ])('takes its time with no 64 KiB of anything', (text) => {
    const startMs = performance.now()
    read(text)
    expect(performance.now() - startMs).toBeLessThan(2_000)
  })
})
