import { runAwsSource } from './internal/run-aws-source.ts'
import { kmsSource } from './sources/kms.ts'

void runAwsSource(kmsSource)
