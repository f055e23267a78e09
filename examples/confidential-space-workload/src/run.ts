import { main } from './main.ts'

for (const name of await main(process.env)) console.log(name)
