/** A line on stderr as Go's `log` writes it, in local time: `2026/11/22 10:23:51 message`. */
export function log(message: string): void {
  writeLog(message.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' '))
}

/** The same of a message that may have line feeds and tabs. */
export function writeLog(message: string, now: Date = new Date()): void {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('/')
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':')
  process.stderr.write(`${day} ${time} ${visible(message)}\n`)
}

/** Without what a terminal would act on. */
export const visible = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (it) => (it === '\n' || it === '\t' ? it : ' '))
