import { main } from './main.ts'

for (const [name, content] of Object.entries(await main(process.env)))
  console.log(`${name}: ${content.length} characters`)
