/** Children of an element: text, elements, or nothing. */
export type Xml = string | readonly (readonly [name: string, content: Xml | undefined])[]

/** Writes elements in order; those without content (`undefined`) are left out. */
export function xml(content: Xml): string {
  if (typeof content === 'string') return escaped(content)
  return content
    .filter(([, inner]) => inner !== undefined)
    .map(([name, inner]) => `<${name}>${xml(inner!)}</${name.split(' ', 1)[0]}>`)
    .join('')
}

const escaped = (text: string): string => text.replace(/[&<>"\r]/g, (c) => `&#${c.charCodeAt(0)};`)
