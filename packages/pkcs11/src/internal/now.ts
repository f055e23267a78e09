/** Milliseconds on a clock that nobody sets. (The global `performance` would have Node load a module that costs a command its start.) */
export const now = (): number => process.uptime() * 1000
