import { runAwsSource } from './internal/run-aws-source.ts'
import { tpmSource } from './sources/tpm.ts'

void runAwsSource(tpmSource)
