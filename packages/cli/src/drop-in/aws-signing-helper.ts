import { endAnyway } from '../internal/end-anyway.ts'
import { runSigningHelper } from '../signing-helper/run.ts'

void runSigningHelper(process.argv.slice(2)).then(() => endAnyway())
